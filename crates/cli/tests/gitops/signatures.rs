//! Commits that are signed by whom it may be, by others, and not at all.

use crate::world::{World, keep, run};

fn world() -> World {
    let world = World::new("auto", "");
    world.config(
        "signatures {\n required = true\n allowed_signers = \"signers\"\n}\n policy {\n mode = \
         \"auto\"\n}",
    );
    world
}

#[test]
fn only_allowed_signatures_count_and_the_last_good_commit_stays() {
    let world = world();
    let said = world.round(2);
    assert!(said.contains("is not accepted: it is not signed; there is none"), "{said}");
    assert!(world.state().is_null());
    let good = world.commit_signed("ann", &keep("a", "1"));
    let said = world.round(0);
    assert!(said.contains("is signed by ann@example.org"), "{said}");
    assert_eq!(world.record()["history"][0]["signed_by"], "ann@example.org");
    for (bad, want) in [
        (
            world.commit_signed("eve", &keep("a", "2")),
            "the key is not among those that are allowed",
        ),
        (world.commit(&keep("a", "3")), "it is not signed"),
    ] {
        // The first is no longer the head when it would be looked at.
        if bad != world.head() {
            run(world.git(&["push", "-q", "-f", "origin", &format!("{bad}:main")]));
        } else {
            run(world.git(&["push", "-q", "-f", "origin", "HEAD:main"]));
        }
        let said = world.round(2);
        assert!(said.contains(want), "{said}");
        assert!(said.contains(&format!("it stays with {}", &good[..12])), "{said}");
        assert_eq!(world.kept("a").as_deref(), Some("1"));
        assert_eq!(world.record()["memory"]["refused"]["commit"], bad.as_str());
    }
    // Keys are read anew each time.
    run(world.git(&["reset", "-q", "--hard", "HEAD~1"]));
    run(world.git(&["push", "-q", "-f", "origin", "HEAD:main"]));
    world.allow("signers", &["ann", "eve"]);
    world.round(0);
    assert_eq!(world.kept("a").as_deref(), Some("2"));
}

#[test]
fn a_changed_commit_keeps_no_signature() {
    let world = world();
    world.commit_signed("ann", &keep("a", "1"));
    // The same signature, on another tree.
    let raw = run(world.git(&["cat-file", "commit", "HEAD"]));
    world.write("work/main.tf", &keep("a", "evil"));
    run(world.git(&["add", "-A"]));
    let tree = run(world.git(&["write-tree"]));
    let old = raw.lines().next().unwrap().strip_prefix("tree ").unwrap();
    world.write("forged", &raw.replace(old, tree.trim()));
    let forged = run(world.git(&["hash-object", "-t", "commit", "-w", "../forged"]));
    run(world.git(&["push", "-q", "-f", "origin", &format!("{}:main", forged.trim())]));
    let said = world.round(2);
    assert!(said.contains("the signature is not of this text"), "{said}");
    assert!(world.state().is_null());
}

#[test]
fn a_signed_tag_stands_for_its_commit() {
    let world = world();
    world.commit(&keep("a", "1"));
    run(world.git_as("bob", &["tag", "-s", "v1", "-m", "A release"]));
    run(world.git(&["push", "-q", "--tags", "origin"]));
    let ran = world.once(&["-tag=v*"]);
    assert_eq!(ran.code, 0, "{}", ran.said);
    assert!(ran.said.contains("is signed by bob@example.org"), "{}", ran.said);
    run(world.git_as("eve", &["tag", "-s", "v2", "-m", "A release"]));
    run(world.git(&["push", "-q", "--tags", "origin"]));
    // The same commit is accepted already.
    world.commit(&keep("a", "2"));
    run(world.git_as("eve", &["tag", "-s", "v3", "-m", "A release"]));
    run(world.git(&["push", "-q", "--tags", "origin"]));
    let ran = world.once(&["-tag=v*"]);
    assert_eq!(ran.code, 2, "{}", ran.said);
    assert_eq!(world.kept("a").as_deref(), Some("1"));
}

#[test]
fn openpgp_is_named() {
    let world = world();
    let raw = run(world.git(&["cat-file", "commit", "HEAD"]));
    let (head, message) = raw.split_once("\n\n").unwrap();
    let signed =
        "gpgsig -----BEGIN PGP SIGNATURE-----\n \n iQEzBAABCAAdFiEE\n -----END PGP SIGNATURE-----";
    world.write("forged", &format!("{head}\n{signed}\n\n{message}"));
    let forged = run(world.git(&["hash-object", "-t", "commit", "-w", "../forged"]));
    run(world.git(&["push", "-q", "-f", "origin", &format!("{}:main", forged.trim())]));
    let said = world.round(2);
    assert!(said.contains("it is signed with OpenPGP, which is not supported"), "{said}");
}
