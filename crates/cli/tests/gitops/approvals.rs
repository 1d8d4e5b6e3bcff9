//! Plans that wait for somebody.

use crate::world::{World, keep, run};

fn approve_by_tag(world: &World, who: &str, commit: &str, message: &str) {
    run(world.git_as(who, &["tag", "-f", "-s", "plumb-approve/one", "-m", message, commit]));
    run(world.git(&["push", "-q", "-f", "origin", "plumb-approve/one"]));
}

#[test]
fn a_plan_waits_for_a_signed_tag_and_is_then_applied_exactly() {
    let world = World::new("approve", &keep("a", "1"));
    let commit = world.head();
    let said = world.round(2);
    let digest = world.digest();
    assert!(said.contains(&format!("it waits for approval of plan {digest}")), "{said}");
    assert!(world.state().is_null());
    // Somebody who may not.
    approve_by_tag(&world, "ann", &commit, &format!("plan: {digest}"));
    let said = world.round(2);
    assert!(said.contains("plumb-approve/one does not count: the key is not among"), "{said}");
    // Another plan.
    approve_by_tag(&world, "bob", &commit, &format!("plan: {}", "0".repeat(64)));
    let said = world.round(2);
    assert!(said.contains("bob@example.org approved plan 000000"), "{said}");
    // Another commit, which the tag is on by mistake.
    approve_by_tag(&world, "bob", &commit, &format!("commit: {}\nplan: {digest}", "1".repeat(40)));
    assert!(world.round(2).contains("is about another commit"));
    // No signature at all.
    run(world.git(&[
        "tag",
        "-f",
        "-a",
        "plumb-approve/one",
        "-m",
        &format!("plan: {digest}"),
        &commit,
    ]));
    run(world.git(&["push", "-q", "-f", "origin", "plumb-approve/one"]));
    assert!(world.round(2).contains("plumb-approve/one does not count: it is not signed"));
    assert!(world.state().is_null());
    approve_by_tag(&world, "bob", &commit, &format!("Fine.\n\nplan: {digest}"));
    let said = world.round(0);
    assert!(said.contains("is approved by bob@example.org"), "{said}");
    assert_eq!(world.kept("a").as_deref(), Some("1"));
    let entry = world.record()["history"][0].clone();
    assert_eq!(
        (&entry["plan"], &entry["approved_by"]),
        (&digest.into(), &"bob@example.org".into())
    );
}

#[test]
fn an_approval_is_of_one_commit_and_of_one_state() {
    let world = World::new("approve", &keep("a", "1"));
    world.round(2);
    let (first, digest) = (world.head(), world.digest());
    // The commit moves on: what was approved is not what is there.
    world.commit(&keep("a", "2"));
    approve_by_tag(&world, "bob", &first, &format!("plan: {digest}"));
    let said = world.round(2);
    assert!(said.contains("it waits for approval"), "{said}");
    assert!(world.state().is_null());
    // The state moves on.
    let (second, digest) = (world.head(), world.digest());
    approve_by_tag(&world, "bob", &second, &format!("plan: {digest}"));
    world.write("loop/tree/other.tf", &keep("by_hand", "x"));
    run(world.plumb(&[
        "-chdir=loop/tree",
        "apply",
        "-auto-approve",
        "-target=terraform_data.by_hand",
    ]));
    std::fs::remove_file(world.path("loop/tree/other.tf")).unwrap();
    let said = world.round(2);
    assert!(said.contains("is out of date: the state was changed since"), "{said}");
    assert!(said.contains("bob@example.org approved plan"), "{said}");
    assert_ne!(world.digest(), digest);
    assert_eq!(world.kept("a"), None);
    approve_by_tag(&world, "bob", &second, &format!("plan: {}", world.digest()));
    world.round(0);
    assert_eq!(world.kept("a").as_deref(), Some("2"));
    assert_eq!(world.kept("by_hand"), None);
}

#[test]
fn approvals_stand_on_a_branch_too() {
    let world = World::new("approve", &keep("a", "1"));
    world.config(
        "policy {\n mode = \"approve\"\n approvers = \"approvers\"\n approvals_branch = \
         \"approvals\"\n}",
    );
    world.round(2);
    let (commit, digest) = (world.head(), world.digest());
    let sign = |who: &str, text: &str| {
        run(world.git(&["checkout", "-q", "-B", "approvals"]));
        let name = format!("{commit}.approval");
        world.write(&format!("work/{name}"), text);
        let _ = std::fs::remove_file(world.path(&format!("work/{name}.sig")));
        run(world.command(
            "ssh-keygen",
            &["-q", "-Y", "sign", "-f", who, "-n", "plumb-approval", &format!("work/{name}")],
        ));
        run(world.git(&["add", "-A"]));
        run(world.git(&["commit", "-q", "-m", "Approve"]));
        run(world.git(&["push", "-q", "-f", "origin", "approvals"]));
        run(world.git(&["checkout", "-q", "main"]));
    };
    sign("eve", &format!("commit: {commit}\nplan: {digest}\n"));
    assert!(world.round(2).contains("does not count: the key is not among those"));
    // A text that names no commit could be carried to another.
    sign("bob", &format!("plan: {digest}\n"));
    assert!(world.round(2).contains("is about another commit"));
    sign("bob", &format!("commit: {commit}\nplan: {digest}\n"));
    world.round(0);
    assert_eq!(world.kept("a").as_deref(), Some("1"));
}

#[test]
fn a_loop_sees_an_approval_that_comes_later() {
    let world = World::new("approve", &keep("a", "1"));
    let running = world.start(&[]);
    world.until("it waits for approval of plan");
    world.until_so("a plan is kept", || world.record()["memory"]["pending"].is_object());
    approve_by_tag(&world, "bob", &world.head(), &format!("plan: {}", world.digest()));
    world.until("is applied; the state has serial 1");
    assert_eq!(running.interrupt(), 0);
}
