//! What the loop does with commits, policies, and what goes wrong.

use crate::world::{World, keep, run};

#[test]
fn a_new_commit_is_applied_and_recorded() {
    let world = World::new("auto", &keep("a", "1"));
    let first = world.head();
    let said = world.round(0);
    assert!(said.contains("is applied; the state has serial 1"), "{said}");
    assert_eq!(world.kept("a").as_deref(), Some("1"));
    assert_eq!(world.round(0).matches("nothing to do").count(), 1);
    let second = world.commit(&(keep("a", "2") + &keep("b", "x")));
    world.round(0);
    assert_eq!(world.kept("a").as_deref(), Some("2"));
    let applied = |it: &str| ("applied".to_owned(), it.to_owned());
    assert_eq!(world.history(), [applied(&first), applied(&second)]);
    let last = world.record()["history"][1].clone();
    assert_eq!(last["lineage"], world.state()["lineage"]);
    assert_eq!(last["serial"], world.state()["serial"]);
    assert_eq!(last["plan"].as_str().map(str::len), Some(64));
    // The state's own history knows which commit it was.
    let files = std::fs::read_dir(world.path("loop/tree")).unwrap().flatten();
    let history: Vec<_> =
        files.map(|it| it.path()).filter(|it| it.to_string_lossy().contains("history")).collect();
    let told = std::fs::read_to_string(&history[0]).unwrap();
    assert!(told.contains(&first) && told.contains(&second), "{told}");
}

#[test]
fn the_loop_goes_on_until_it_is_told_to_stop() {
    let world = World::new("auto", &keep("a", "1"));
    let running = world.start(&[]);
    world.until("is applied; the state has serial 1");
    world.commit(&keep("a", "2"));
    world.until("is applied; the state has serial 2");
    // One folder, one loop.
    let other = world.once(&[]);
    assert_eq!(other.code, 1);
    assert!(other.said.contains("Another loop works in"), "{}", other.said);
    assert_eq!(running.interrupt(), 0);
    assert!(world.log().contains("stops."));
}

#[test]
fn nothing_is_applied_unless_somebody_says_so() {
    let world = World::new("plan-only", &keep("a", "1"));
    let said = world.round(2);
    assert!(said.contains("nothing is applied in this mode"), "{said}");
    assert!(said.contains("terraform_data.a will be created"), "{said}");
    assert!(world.state().is_null());
    world.config("");
    assert!(world.round(2).contains("nothing is applied in this mode"), "it is the default");
}

#[test]
fn freezes_and_windows() {
    let world = World::new("auto", &keep("a", "1"));
    world.write("stop", "");
    world.config("policy {\n mode = \"auto\"\n freeze_file = \"stop\"\n}");
    let said = world.round(2);
    assert!(said.contains("changes are frozen by stop"), "{said}");
    let frozen = world.once(&["-freeze"]);
    assert!(frozen.said.contains("changes are frozen by -freeze"), "{}", frozen.said);
    world.config("policy {\n mode = \"auto\"\n freeze = [\"2000-01-01..2999-01-01\"]\n}");
    assert!(world.round(2).contains("changes are frozen on 2000-01-01..2999-01-01"));
    // A window that closed an hour ago is closed now.
    let hour = |it: i64| {
        let at = chrono::Utc::now() + chrono::Duration::hours(it);
        at.format("%H:%M").to_string()
    };
    let windows = |from: i64, to: i64| {
        let window = format!("{}-{} UTC", hour(from), hour(to));
        world.config(&format!("policy {{\n mode = \"auto\"\n windows = [\"{window}\"]\n}}"));
    };
    windows(-3, -1);
    assert!(world.round(2).contains("no window for changes is open; the next opens"));
    assert!(world.state().is_null());
    windows(-1, 2);
    world.round(0);
    assert_eq!(world.kept("a").as_deref(), Some("1"));
}

#[test]
fn what_destroys_too_much_is_refused() {
    let world = World::new("auto", &(keep("a", "1") + &keep("b", "1") + &keep("c", "1")));
    world.config("policy {\n mode = \"auto\"\n max_destroy = 1\n max_changes = 3\n}");
    world.round(0);
    world.commit(&keep("a", "1"));
    let said = world.round(2);
    assert!(said.contains("it destroys 2 objects, and no more than 1 may be"), "{said}");
    assert_eq!(world.kept("b").as_deref(), Some("1"));
    world.commit(&(keep("a", "1") + &keep("b", "1")));
    world.round(0);
    assert_eq!(world.kept("c"), None);
}

#[test]
fn a_rewritten_history_is_not_followed() {
    let world = World::new("auto", &keep("a", "1"));
    world.round(0);
    world.commit(&keep("a", "2"));
    world.round(0);
    // Back to before, and another way from there.
    run(world.git(&["reset", "-q", "--hard", "HEAD~1"]));
    let other = world.commit(&keep("a", "3"));
    let said = world.round(2);
    assert!(said.contains("history was rewritten"), "{said}");
    assert!(world.record()["memory"]["refused"]["commit"] == other.as_str());
    assert_eq!(world.kept("a").as_deref(), Some("2"));
    world.config("history = \"any\"\n policy {\n mode = \"auto\"\n}");
    world.round(0);
    assert_eq!(world.kept("a").as_deref(), Some("3"));
}

#[test]
fn a_branch_that_is_gone_destroys_nothing() {
    let world = World::new("auto", &keep("a", "1"));
    world.round(0);
    run(world.git(&["push", "-q", "origin", "HEAD:other", ":main"]));
    let said = world.round(1);
    assert!(said.contains("The repository has no main: nothing is changed"), "{said}");
    assert_eq!(world.kept("a").as_deref(), Some("1"));
    run(world.git(&["push", "-q", "origin", "HEAD:main"]));
    world.round(0);
    // The whole repository is away.
    std::fs::rename(world.path("origin.git"), world.path("away.git")).unwrap();
    let said = world.round(1);
    assert!(said.contains("The repository could not be asked"), "{said}");
    assert_eq!(world.kept("a").as_deref(), Some("1"));
}

#[test]
fn tags_are_followed_by_version() {
    let world = World::new("auto", &keep("a", "1"));
    let follow = |code| {
        let ran = world.once(&["-tag=v*"]);
        assert_eq!(ran.code, code, "{}", ran.said);
        ran.said
    };
    assert!(follow(1).contains("The repository has no refs/tags/*"));
    run(world.git(&["tag", "v1.9.0"]));
    world.commit(&keep("a", "2"));
    run(world.git(&["push", "-q", "--tags", "origin"]));
    follow(0);
    assert_eq!(world.kept("a").as_deref(), Some("1"), "the branch is not followed");
    run(world.git(&["tag", "-a", "-m", "A release", "v1.10.0"]));
    run(world.git(&["push", "-q", "--tags", "origin"]));
    follow(0);
    assert_eq!(world.kept("a").as_deref(), Some("2"));
}

#[test]
fn a_plan_that_fails_is_told_and_the_next_commit_goes_on() {
    let world = World::new("auto", &keep("a", "1"));
    world.round(0);
    world.commit("resource \"terraform_data\" \"a\" {\n  input = nonsense.here\n}\n");
    let said = world.round(1);
    assert!(said.contains("cannot be planned: the plan failed"), "{said}");
    assert!(said.contains("Reference to undeclared resource"), "{said}");
    world.commit(&keep("a", "3"));
    world.round(0);
    assert_eq!(world.kept("a").as_deref(), Some("3"));
}

/// `b` fails until a file is there; `a` comes before it.
fn half(world: &World) -> String {
    let wanted = world.path("wanted").display().to_string();
    format!(
        "{}resource \"terraform_data\" \"b\" {{\n  input = \"{wanted}\"\n  depends_on = \
         [terraform_data.a]\n  lifecycle {{\n    postcondition {{\n      condition = \
         fileexists(self.output)\n      error_message = \"The file is missing.\"\n    }}\n  }}\n}}\n\
         resource \"terraform_data\" \"c\" {{\n  input = terraform_data.b.output\n}}\n",
        keep("a", "1")
    )
}

#[test]
fn an_apply_that_fails_half_way_is_finished_later() {
    let world = World::new("auto", "");
    world.commit(&half(&world));
    let said = world.round(1);
    assert!(said.contains("was not applied to the end"), "{said}");
    assert!(said.contains("The file is missing."), "{said}");
    assert_eq!(world.kept("a").as_deref(), Some("1"), "what was done is kept");
    let id = world.state()["resources"][0]["instances"][0]["attributes"]["id"].clone();
    world.write("wanted", "");
    world.round(0);
    assert!(world.kept("c").is_some());
    let after = world.state()["resources"][0]["instances"][0]["attributes"]["id"].clone();
    assert_eq!(after, id, "nothing is made twice");
    let decisions: Vec<String> = world.history().into_iter().map(|it| it.0).collect();
    assert_eq!(decisions, ["failed", "applied"]);
}

#[test]
fn a_folder_of_the_repository_and_files_of_variables() {
    let world = World::new("auto", "");
    std::fs::create_dir_all(world.path("work/live/net")).unwrap();
    let main = "variable \"x\" {}\nresource \"terraform_data\" \"a\" {\n  input = var.x\n}\n";
    world.write("work/live/net/main.tf", main);
    world.write("work/live/net/prod.tfvars", "x = \"from a file\"\n");
    world.commit_all(None);
    world.config(
        "path = \"live/net\"\n var_files = [\"prod.tfvars\"]\n policy {\n mode = \"auto\"\n}",
    );
    world.round(0);
    let state =
        std::fs::read_to_string(world.path("loop/tree/live/net/terraform.tfstate")).unwrap();
    assert!(state.contains("from a file"));
    world.config("path = \"live/other\"\n policy {\n mode = \"auto\"\n}");
    assert!(world.round(1).contains("it has no folder \"live/other\""));
}

#[test]
fn settings_are_checked() {
    let world = World::new("auto", "");
    for (inside, want) in [
        ("nonsense = 1", "An argument named \"nonsense\" is not expected here"),
        ("policy {\n mode = \"yolo\"\n}", "\"yolo\" is no mode"),
        ("policy {\n mode = \"approve\"\n}", "nobody is named whose approval counts"),
        ("policy {\n windows = [\"Mon 8-9\"]\n}", "is not a window"),
        ("signatures {\n required = true\n}", "nobody is named whose signature counts"),
        ("forge {\n kind = \"gitea\"\n}", "A forge needs kind, project, and a token"),
        ("forge {\n token_env = \"MISSING\"\n}", "The environment has no MISSING"),
        ("path = \"../x\"", "does not name a folder in the repository"),
        ("interval = \"soon\"", "is not a duration"),
        ("policy {\n max_destroy = -1\n}", "it is not a whole number"),
        ("policy {}\n policy {}", "There may be one \"policy\" block only"),
        ("mask = [\"SHORT\"]", "too short to be a secret"),
    ] {
        world.config(inside);
        let done = world.loop_command(&["-once"]).env("SHORT", "ab").output().unwrap();
        let said = crate::world::all(&done).replace("\n\u{2502} ", " ").replace('\n', " ");
        assert_eq!(done.status.code(), Some(1), "{inside}: {said}");
        assert!(said.contains(want), "{inside}: {said}");
    }
    world.config("");
    let done = world.plumb(&["gitops", "-once"]).output().unwrap();
    assert!(crate::world::all(&done).contains("No repository"));
    let secret = "https://ann:secret@example.org/x";
    let done = world.plumb(&["gitops", "-once", "-repo", secret]).output().unwrap();
    let said = crate::world::all(&done);
    assert!(
        said.contains("Password in the repository's URL") && !said.contains("secret@"),
        "{said}"
    );
}
