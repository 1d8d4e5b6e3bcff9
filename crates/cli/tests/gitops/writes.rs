//! What a commit may write, and what it may not.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};

use crate::world::{World, exists, keep, run};

#[test]
fn the_working_copy_is_the_commit_and_what_was_there() {
    let world = World::new("auto", &keep("a", "1"));
    let work = |name: &str| world.path(&format!("work/{name}"));
    let tree = |name: &str| world.path(&format!("loop/tree/{name}"));
    fs::create_dir_all(work("deep/er")).unwrap();
    fs::write(work("deep/er/file"), "one").unwrap();
    fs::write(work("run"), "#!/bin/sh\n").unwrap();
    fs::set_permissions(work("run"), fs::Permissions::from_mode(0o755)).unwrap();
    symlink("deep/er/file", work("link")).unwrap();
    world.commit_all(None);
    world.round(0);
    assert_eq!(fs::read_to_string(tree("link")).unwrap(), "one");
    assert_eq!(fs::metadata(tree("run")).unwrap().permissions().mode() & 0o777, 0o755);
    // What somebody changed there is set right, what somebody put there stays.
    fs::write(tree("deep/er/file"), "changed").unwrap();
    fs::write(tree("note"), "mine").unwrap();
    fs::remove_file(work("run")).unwrap();
    fs::remove_file(work("link")).unwrap();
    fs::create_dir(work("link")).unwrap();
    fs::write(work("link/now"), "a folder").unwrap();
    world.commit_all(None);
    world.round(0);
    assert_eq!(fs::read_to_string(tree("deep/er/file")).unwrap(), "one");
    assert_eq!(fs::read_to_string(tree("link/now")).unwrap(), "a folder");
    assert_eq!(fs::read_to_string(tree("note")).unwrap(), "mine");
    assert!(!exists(&tree("run")));
    fs::remove_dir_all(work("deep")).unwrap();
    world.commit_all(None);
    world.round(0);
    assert!(!exists(&tree("deep")), "empty folders go");
    assert!(exists(&tree("terraform.tfstate")));
    // What is not ours is not written over.
    fs::write(work("note"), "theirs").unwrap();
    world.commit_all(None);
    let said = world.round(1);
    assert!(said.contains("did not come from the repository: note; move them away"), "{said}");
    assert_eq!(fs::read_to_string(tree("note")).unwrap(), "mine");
}

#[test]
fn links_that_lead_out_are_refused() {
    for target in ["/etc/passwd", "../../outside", "in/../../../outside"] {
        let world = World::new("auto", &keep("a", "1"));
        symlink(target, world.path("work/bad")).unwrap();
        world.commit_all(None);
        let said = world.round(1);
        assert!(
            said.contains("a symbolic link that leads out of the repository: bad ->"),
            "{said}"
        );
        assert!(world.state().is_null());
        assert!(!exists(&world.path("loop/tree/bad")));
    }
}

#[test]
fn paths_that_lead_out_are_refused() {
    let world = World::new("auto", &keep("a", "1"));
    // Git itself makes no such tree; somebody else may.
    world.write("evil", "evil");
    let blob = run(world.git(&["hash-object", "-w", "../evil"]));
    let id: Vec<u8> =
        (0..20).map(|at| u8::from_str_radix(&blob[at * 2..at * 2 + 2], 16).unwrap()).collect();
    let entry =
        |mode: &str, name: &str, id: &[u8]| [format!("{mode} {name}\0").as_bytes(), id].concat();
    for name in ["..", ".git"] {
        let inner = entry("100644", "evil", &id);
        fs::write(world.path("tree"), inner).unwrap();
        let literal = ["hash-object", "-t", "tree", "-w", "--literally", "../tree"];
        let sub = run(world.git(&literal));
        let sub: Vec<u8> =
            (0..20).map(|at| u8::from_str_radix(&sub[at * 2..at * 2 + 2], 16).unwrap()).collect();
        fs::write(world.path("tree"), entry("40000", name, &sub)).unwrap();
        let tree = run(world.git(&literal));
        let parent = world.head();
        let commit = run(world.git(&["commit-tree", tree.trim(), "-p", &parent, "-m", "evil"]));
        run(world.git(&["push", "-q", "-f", "origin", &format!("{}:main", commit.trim())]));
        let said = world.round(1);
        assert!(said.contains("which is not safe") || said.contains("rejected"), "{said}");
        assert!(!exists(&world.path("loop/evil")) && !exists(&world.path("loop/tree/.git")));
    }
}

#[test]
fn states_and_submodules_are_left_out() {
    let world = World::new("auto", &keep("a", "1"));
    world.round(0);
    let serial = world.state()["serial"].clone();
    world.write("work/terraform.tfstate", "{}");
    fs::create_dir_all(world.path("work/.terraform")).unwrap();
    world.write("work/.terraform/environment", "other");
    let head = world.head();
    let entry = format!("160000,{head},sub");
    run(world.git(&["add", "-A", "-f"]));
    run(world.git(&["update-index", "--add", "--cacheinfo", &entry]));
    run(world.git(&["commit", "-q", "-m", "More"]));
    run(world.git(&["push", "-q", "origin", "HEAD:main"]));
    let said = world.round(0);
    assert!(said.contains("terraform.tfstate is left out"), "{said}");
    assert!(said.contains("sub is a submodule and is left out"), "{said}");
    assert_eq!(world.state()["serial"], serial);
    assert!(!exists(&world.path("loop/tree/.terraform/environment")));
}
