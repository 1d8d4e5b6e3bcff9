//! What forges are told.

use crate::forge_server::{Forge, Kind, TOKEN};
use crate::world::{World, keep};

const KINDS: [Kind; 3] = [Kind::GitHub, Kind::GitLab, Kind::Gitea];

fn world(forge: &Forge, mode: &str, main: &str) -> World {
    let mut world = World::new(mode, main);
    world.env = vec![
        ("FORGE_TOKEN".to_owned(), TOKEN.to_owned()),
        ("PASSWORD".to_owned(), "hunter2_hunter2".to_owned()),
    ];
    settings(&world, forge, mode);
    world
}

fn settings(world: &World, forge: &Forge, mode: &str) {
    let kind = format!("{:?}", forge.kind).to_lowercase();
    world.config(&format!(
        "mask = [\"PASSWORD\"]\n policy {{\n mode = {mode:?}\n approvers = \"approvers\"\n}}\n forge {{\n kind \
         = {kind:?}\n url = {:?}\n project = \"acme/net\"\n token_env = \"FORGE_TOKEN\"\n context = \
         \"plumb/net\"\n target_url = \"https://ci.example.org/1\"\n}}",
        forge.url
    ));
}

#[test]
fn a_commit_has_statuses_and_one_comment() {
    for kind in KINDS {
        let forge = Forge::start(kind);
        forge.store().pull = Some(7);
        let world = world(&forge, "approve", &keep("a", "1"));
        // Others have spoken before, enough for more than a page; one copied our mark.
        let mark = "<!-- plumb gitops: plumb/net -->\nsomebody else's";
        let texts = ["one", "two", mark, "four", "five"];
        let others = (900..).zip(texts).map(|(id, text)| (id, text.to_owned())).collect();
        forge.store().comments.insert("pull 7".to_owned(), others);
        let said = world.round(2);
        assert!(!said.contains("could not be told"), "{kind:?} {said}");
        let first = world.head();
        assert_eq!(forge.states(&first), ["pending"], "{kind:?}");
        let comments = forge.comments();
        assert_eq!(comments.len(), 6, "{kind:?} {comments:?}");
        assert!(
            comments[5].starts_with("<!-- plumb gitops: plumb/net -->\n### Waits: "),
            "{comments:?}"
        );
        let change =
            "<details><summary><code>terraform&#95;data.a</code> will be created</summary>";
        assert!(comments[5].contains(change), "{}", comments[5]);
        assert!(comments[5].contains(&format!("plan: {}", world.digest())), "{}", comments[5]);
        // Nothing new, nothing told.
        let before = forge.store().requests.len();
        world.round(2);
        assert_eq!(forge.store().requests.len(), before, "{kind:?}");
        // Another commit: the same comment.
        settings(&world, &forge, "auto");
        let second = world.commit(&keep("a", "2"));
        world.round(0);
        assert_eq!(forge.states(&second), ["pending", "success"], "{kind:?}");
        let comments = forge.comments();
        assert_eq!(comments.len(), 6, "{kind:?} {comments:?}");
        assert!(comments[5].contains("### Applied: 1 to add"), "{}", comments[5]);
        // Later rounds leave it at that.
        world.round(0);
        assert_eq!(forge.comments(), comments, "{kind:?}");
        // A commit that cannot be planned.
        let third = world.commit("nonsense {}\n");
        world.round(1);
        assert_eq!(forge.states(&third).last().map(|it| &it[..4]), Some("fail"), "{kind:?}");
        let status = forge.store().statuses.last().unwrap().1.clone();
        assert_eq!(status["target_url"], "https://ci.example.org/1");
        assert!(forge.comments()[5].contains("Unsupported block type"), "{:?}", forge.comments());
    }
}

#[test]
fn without_a_pull_request_the_commit_is_commented_on() {
    for kind in KINDS {
        let forge = Forge::start(kind);
        let world = world(&forge, "auto", &keep("a", "1"));
        world.round(0);
        let comments = forge.store().comments.clone();
        match kind {
            // It has no comments on commits.
            Kind::Gitea => assert!(comments.is_empty()),
            Kind::GitHub | Kind::GitLab => {
                let of = comments.get(&format!("commit {}", world.head())).unwrap();
                assert_eq!(of.len(), 1, "{kind:?} {of:?}");
                assert!(of[0].1.contains("### Applied"), "{of:?}");
            }
        }
        assert_eq!(forge.states(&world.head()), ["pending", "success"], "{kind:?}");
    }
}

#[test]
fn a_commit_that_is_not_accepted_is_told() {
    let forge = Forge::start(Kind::GitHub);
    let world = world(&forge, "auto", &keep("a", "1"));
    let ran = world.once(&["-allowed-signers=signers"]);
    assert_eq!(ran.code, 2, "{}", ran.said);
    assert_eq!(forge.states(&world.head()), ["failure"]);
    assert!(forge.comments()[0].contains("### Not accepted: it is not signed"));
}

#[test]
fn errors_are_tried_again_and_never_hold_it_up() {
    for kind in KINDS {
        let forge = Forge::start(kind);
        forge.store().pull = Some(7);
        let world = world(&forge, "auto", &keep("a", "1"));
        forge.store().fail = vec![(502, ""), (429, "retry-after: 1\r\n"), (503, "")];
        forge.store().lose_created = true;
        let said = world.round(0);
        assert!(!said.contains("could not be told"), "{kind:?} {said}");
        assert_eq!(forge.states(&world.head()), ["pending", "success"]);
        // The answer to the first was lost; it was found again.
        assert_eq!(forge.comments().len(), 1, "{kind:?} {:?}", forge.comments());
        // It is down for good.
        forge.store().fail = vec![(500, ""); 100];
        world.commit(&keep("a", "2"));
        let said = world.round(0);
        assert!(said.contains("The forge could not be told: POST"), "{kind:?} {said}");
        assert_eq!(world.kept("a").as_deref(), Some("2"));
        forge.store().fail =
            vec![(403, "x-ratelimit-remaining: 0\r\nx-ratelimit-reset: 99999999999\r\n"); 9];
        world.commit(&keep("a", "3"));
        world.round(0);
        assert_eq!(world.kept("a").as_deref(), Some("3"));
    }
}

#[test]
fn long_plans_are_cut_where_the_forge_has_its_limit() {
    let many = "resource \"terraform_data\" \"many\" {\n  count = 400\n  input = \"${count.index} \
                ${join(\"\", [for i in range(60) : \"0123456789\"])}\"\n}\n";
    for kind in KINDS {
        let forge = Forge::start(kind);
        forge.store().pull = Some(7);
        let world = world(&forge, "plan-only", many);
        let said = world.round(2);
        assert!(!said.contains("could not be told"), "{kind:?}");
        let comment = forge.comments().remove(0);
        let whole =
            comment.contains("<code>terraform&#95;data.many&#91;399&#93;</code> will be created");
        assert_eq!(whole, kind == Kind::GitLab, "{kind:?} {}", comment.len());
        assert_eq!(comment.contains(" more entries not shown**"), !whole, "{kind:?}");
        assert_eq!(comment.matches("<details>").count(), comment.matches("</details>").count());
        assert!(comment.len() <= 65_536 || whole);
    }
}

#[test]
fn secrets_are_told_to_nobody() {
    let forge = Forge::start(Kind::GitHub);
    // The configuration tries to get at what the loop knows: the token, and a password that it needs.
    let main = format!(
        "variable \"v\" {{\n  default = \"open-sesame-99\"\n  sensitive = true\n}}\nvariable \"token\" \
         {{\n  default = \"unknown\"\n}}\nvariable \"password\" {{}}\nresource \"terraform_data\" \"s\" \
         {{\n  input = var.v\n}}\nresource \"terraform_data\" \"token\" {{\n  input = \
         var.token\n}}\nresource \"terraform_data\" \"password\" {{\n  input = var.password\n}}\nresource \
         \"terraform_data\" \"keyed\" {{\n  for_each = toset([var.password])\n}}\n{}",
        keep("written", TOKEN),
    );
    let mut world = world(&forge, "auto", &main);
    for name in ["FORGE_TOKEN", "PASSWORD"] {
        let env = world.env.iter_mut().find(|it| it.0 == name).unwrap();
        env.0 = format!("TF_VAR_{}", name.trim_start_matches("FORGE_").to_lowercase());
    }
    let settings = std::fs::read_to_string(world.path("gitops.plumb.hcl")).unwrap();
    let settings =
        settings.replace("FORGE_TOKEN", "TF_VAR_token").replace("PASSWORD", "TF_VAR_password");
    world.write("gitops.plumb.hcl", &settings);
    let mut said = world.round(0);
    let first = forge.comments();
    assert!(first[0].contains("keyed&#91;&#34;(hidden)&#34;&#93;"), "{first:?}");
    assert_eq!(world.kept("token").as_deref(), Some("unknown"), "runs do not know the token");
    assert_eq!(world.kept("password").as_deref(), Some("hunter2_hunter2"), "runs know the rest");
    world.commit(&format!("{main}resource \"x\" \"hunter2_hunter2\" {{}}\n"));
    said += &world.round(1);
    let store = forge.store();
    let told = format!("{:?} {first:?} {:?}", store.statuses, store.comments);
    for secret in [TOKEN, "hunter2_hunter2", "open-sesame-99"] {
        assert!(!told.contains(secret), "{secret} in {told}");
        // Names in Markdown are escaped.
        let escaped = secret.replace('_', "&#95;");
        assert!(!told.contains(&escaped), "{escaped} in {told}");
        assert!(!said.contains(secret), "{secret} in {said}");
    }
    assert!(told.contains("(hidden)") && said.contains("(hidden)"));
    let record = std::fs::read_to_string(world.path("loop/gitops.json")).unwrap();
    assert!(!record.contains(TOKEN), "{record}");
}
