//! Plans of resources with nested blocks, and what surrounds a plan.

use std::collections::BTreeMap;
use std::sync::Arc;

use expect_test::{Expect, expect};
use plumb_model::addr::{Addr, Kind, ProviderAddr};
use plumb_model::plan::{Action, Change, Plan, Reason, ReplaceOrder};
use plumb_model::schema::{
    Attribute, Block, NestedBlock, Nesting, OnChange, Presence, ProviderSchema, ResourceSchema,
    Schemas,
};
use plumb_model::value::{Path, Type, Value};
use plumb_report::{PlanMode, PlanText, Style, forgotten_warning, plan_text, saved_text};

fn schemas() -> Schemas {
    let optional = |ty| Attribute::new(ty, Presence::Optional);
    let attributes = |all: Vec<(&str, Attribute)>| {
        all.into_iter().map(|(name, it)| (Arc::from(name), it)).collect::<BTreeMap<_, _>>()
    };
    let block = |nesting, all| NestedBlock {
        nesting,
        block: Block::new(attributes(all), BTreeMap::new()),
        min: 0,
        max: 0,
        on_change: OnChange::Update,
    };
    let secret = Attribute { sensitive: true, ..optional(Type::String) };
    let ports = vec![("internal", optional(Type::Number)), ("external", optional(Type::Number))];
    let blocks = [
        (Arc::from("ports"), block(Nesting::List, ports)),
        (
            Arc::from("labels"),
            block(
                Nesting::Set,
                vec![("label", optional(Type::String)), ("value", optional(Type::String))],
            ),
        ),
        (
            Arc::from("auth"),
            block(
                Nesting::Single,
                vec![("user", optional(Type::String)), ("password", secret.clone())],
            ),
        ),
        (Arc::from("volume"), block(Nesting::Map, vec![("path", optional(Type::String))])),
    ];
    let own = attributes(vec![
        ("id", Attribute::new(Type::String, Presence::Computed)),
        ("name", optional(Type::String)),
        ("image", optional(Type::String)),
        ("token", secret),
        ("env", optional(Type::set(Type::String))),
        ("tmpfs", optional(Type::map(Type::String))),
    ]);
    let schema = ResourceSchema::new(Block::new(own, blocks.into_iter().collect()));
    let source: Arc<str> = "registry.terraform.io/x/box".into();
    let provider = ProviderSchema {
        source: source.clone(),
        name: "box".into(),
        config: Block::default(),
        resources: [(Kind::new("box"), Arc::new(schema.clone()))].into(),
        data: [(Kind::new("box"), Arc::new(schema))].into(),
    };
    Schemas { providers: [(source, Arc::new(provider))].into() }
}

fn change(action: Action, before: Option<Value>, after: Option<Value>) -> Change {
    Change {
        action,
        before,
        after,
        reason: None,
        replace_paths: Vec::new(),
        says: Vec::new(),
        moved_from: None,
        importing: None,
        provider: Arc::new(ProviderAddr {
            module: Default::default(),
            source: "registry.terraform.io/x/box".into(),
            alias: None,
        }),
        needs: Arc::from([]),
        create_before_destroy: false,
    }
}

fn plan(changes: Vec<(&str, Change)>) -> Plan {
    let changes = changes
        .into_iter()
        .map(|(addr, change)| (addr.parse::<Addr>().expect("an address").current(), change));
    Plan { changes: changes.collect(), ..Plan::default() }
}

fn show(plan: &Plan, mode: PlanMode) -> String {
    plan_text(PlanText { plan, schemas: &schemas(), mode, relevant: None, style: Style::PLAIN })
}

fn check(changes: Vec<(&str, Change)>, expected: Expect) {
    let text = show(&plan(changes), PlanMode::Normal);
    let (_, text) = text.split_once("actions:\n\n").expect("a heading");
    expected.assert_eq(text);
}

fn object(items: &[(&str, Value)]) -> Value {
    Value::object(items.iter().map(|(name, it)| (*name, it.clone())))
}

fn port(internal: i64) -> Value {
    object(&[("internal", internal.into()), ("external", Value::null(Type::Number))])
}

fn ports(internal: &[i64]) -> Value {
    Value::list(Type::Dynamic, internal.iter().map(|it| port(*it)).collect())
}

fn label(name: &str) -> Value {
    object(&[("label", name.into()), ("value", "x".into())])
}

fn labels(names: &[&str]) -> Value {
    Value::set(Type::Dynamic, names.iter().map(|it| label(it)).collect())
}

fn strings(items: &[&str]) -> Value {
    Value::set(Type::String, items.iter().map(|it| (*it).into()).collect())
}

fn tmpfs(items: &[(&str, &str)]) -> Value {
    Value::map(Type::String, items.iter().map(|(key, it)| (*key, Value::from(*it))))
}

#[test]
fn created() {
    let after = object(&[
        ("id", Value::unknown(Type::String)),
        ("name", "a".into()),
        ("token", "secret".into()),
        ("env", strings(&["A=1", "B=2"])),
        ("tmpfs", tmpfs(&[("/run", "size=1"), ("/run/lock", "")])),
        ("ports", ports(&[80, 81])),
        ("labels", Value::unknown(Type::set(Type::Dynamic))),
        ("auth", object(&[("user", "bob".into()), ("password", "hunter2".into())])),
        ("volume", Value::map(Type::Dynamic, [("data", object(&[("path", "/x".into())]))])),
    ]);
    check(
        vec![("box.a", change(Action::Create, None, Some(after)))],
        expect![[r#"
              # box.a will be created
              + resource "box" "a" {
                  + env   = [
                      + "A=1",
                      + "B=2",
                    ]
                  + id    = (known after apply)
                  + name  = "a"
                  + tmpfs = {
                      + "/run"      = "size=1"
                      + "/run/lock" = ""
                    }
                  + token = (sensitive value)

                  + auth {
                      + password = (sensitive value)
                      + user     = "bob"
                    }

                  + labels (known after apply)

                  + ports {
                      + internal = 80
                    }
                  + ports {
                      + internal = 81
                    }

                  + volume "data" {
                      + path = "/x"
                    }
                }

            Plan: 1 to add, 0 to change, 0 to destroy.
        "#]],
    );
}

#[test]
fn changed_in_place_and_replaced() {
    let before = object(&[
        ("id", "1".into()),
        ("name", "a".into()),
        ("image", "old".into()),
        ("env", strings(&["A=1", "B=2", "C=3"])),
        ("tmpfs", tmpfs(&[("/run", "size=1"), ("/tmp", "")])),
        ("ports", ports(&[80, 81, 82])),
        ("labels", labels(&["l1", "l2"])),
        ("auth", object(&[("user", "bob".into())]).sensitive()),
    ]);
    let after = object(&[
        ("id", "1".into()),
        ("name", "a".into()),
        ("image", "old".into()),
        ("env", strings(&["A=1", "C=3", "D=4"])),
        ("tmpfs", tmpfs(&[("/run", "size=2"), ("/tmp", "")])),
        ("ports", ports(&[80, 82])),
        ("labels", labels(&["l2", "l3"])),
        ("auth", object(&[("user", "eve".into())])),
    ]);
    let new = object(&[
        ("id", Value::unknown(Type::String)),
        ("name", "a".into()),
        ("image", "new".into()),
        ("env", strings(&["A=1", "B=2", "C=3"])),
        ("tmpfs", tmpfs(&[("/run", "size=1"), ("/tmp", "")])),
        ("ports", ports(&[80, 81, 99])),
        ("labels", labels(&["l1", "l3"])),
        ("auth", object(&[("user", "bob".into())]).sensitive()),
    ]);
    let mut replaced =
        change(Action::Replace(ReplaceOrder::DeleteFirst), Some(before.clone()), Some(new));
    replaced.reason = Some(Reason::ReplaceBecauseCannotUpdate);
    replaced.replace_paths = vec![
        Path::default().attr("image"),
        Path::default().attr("labels"),
        Path::default().attr("ports").index(2_i64).attr("internal"),
    ];
    check(
        vec![
            ("box.a", change(Action::Update, Some(before), Some(after))),
            ("module.m[\"k\"].box.b", replaced),
        ],
        expect![[r#"
              # box.a will be updated in-place
              ~ resource "box" "a" {
                  ~ env   = [
                      - "B=2",
                      + "D=4",
                        # (2 unchanged elements hidden)
                    ]
                    id    = "1"
                    name  = "a"
                  ~ tmpfs = {
                      ~ "/run" = "size=1" -> "size=2"
                        # (1 unchanged element hidden)
                    }
                    # (1 unchanged attribute hidden)

                  # Warning: this block will no longer be marked as sensitive
                  # after applying this change.
                  ~ auth {
                      # At least one attribute in this block is (or was) sensitive,
                      # so its contents will not be displayed.
                    }

                  - labels {
                      - label = "l1" -> null
                      - value = "x" -> null
                    }
                  + labels {
                      + label = "l3"
                      + value = "x"
                    }

                  - ports {
                      - internal = 81 -> null
                    }

                    # (3 unchanged blocks hidden)
                }

              # module.m["k"].box.b must be replaced
            -/+ resource "box" "b" {
                  ~ id    = "1" -> (known after apply)
                  ~ image = "old" -> "new" # forces replacement
                    name  = "a"
                    # (2 unchanged attributes hidden)

                  - labels { # forces replacement
                      - label = "l2" -> null
                      - value = "x" -> null
                    }
                  + labels { # forces replacement
                      + label = "l3"
                      + value = "x"
                    }

                  ~ ports {
                      ~ internal = 82 -> 99 # forces replacement
                    }

                    # (4 unchanged blocks hidden)
                }

            Plan: 1 to add, 1 to change, 1 to destroy.
        "#]],
    );
}

#[test]
fn every_other_action_and_reason() {
    let it = || Some(object(&[("id", "1".into()), ("name", "a".into())]));
    let because = |reason, change| Change { reason: Some(reason), ..change };
    let replace =
        |reason| because(reason, change(Action::Replace(ReplaceOrder::CreateFirst), it(), it()));
    let delete = |reason| because(reason, change(Action::Delete, it(), None));
    let moved = Change {
        says: Vec::new(),
        moved_from: Some("box.old".parse().expect("an address")),
        ..change(Action::Update, it(), Some(object(&[("id", "1".into()), ("name", "b".into())])))
    };
    let imported = Change { importing: Some("1".into()), ..change(Action::Keep, it(), it()) };
    let read = because(
        Reason::ReadBecauseDependencyPending,
        change(Action::Read, None, Some(object(&[("id", Value::unknown(Type::String))]))),
    );
    let text = show(
        &plan(vec![
            ("data.box.d", read),
            ("box.a", replace(Reason::ReplaceBecauseTainted)),
            ("box.b", replace(Reason::ReplaceByRequest)),
            ("box.c", replace(Reason::ReplaceByTriggers)),
            ("box.d", delete(Reason::DeleteBecauseWrongRepetition)),
            ("box.e[3]", delete(Reason::DeleteBecauseCountIndex)),
            ("box.f[\"x\"]", delete(Reason::DeleteBecauseEachKey)),
            ("module.m[1].box.g", delete(Reason::DeleteBecauseNoModule)),
            ("box.h", moved),
            ("box.i", imported),
        ]),
        PlanMode::Normal,
    );
    let lines: Vec<&str> = text
        .lines()
        .filter(|it| {
            it.trim_start().starts_with('#') && !it.contains("hidden")
                || it.contains("Plan:")
                || it.contains(" data ")
        })
        .collect();
    expect![[r##"
          # data.box.d will be read during apply
          # (depends on a resource or a module with changes pending)
         <= data "box" "d" {
          # box.a is tainted, so must be replaced
          # box.b will be replaced, as requested
          # box.c will be replaced due to changes in replace_triggered_by
          # box.d will be destroyed
          # (because resource uses count or for_each)
          # box.e[3] will be destroyed
          # (because index [3] is out of range for count)
          # box.f["x"] will be destroyed
          # (because key ["x"] is not in for_each map)
          # box.h will be updated in-place
          # (moved from box.old)
          # box.i will be imported
          # module.m[1].box.g will be destroyed
          # (because module.m[1] is not in configuration)
        Plan: 1 to import, 3 to add, 1 to change, 7 to destroy."##]]
    .assert_eq(&lines.join("\n"));
}

#[test]
fn drift() {
    let before = object(&[("id", "1".into()), ("name", "a".into())]);
    let after = object(&[("id", "1".into()), ("name", "b".into())]);
    let mut plan =
        plan(vec![("box.a", change(Action::Keep, Some(after.clone()), Some(after.clone())))]);
    let key = |addr: &str| addr.parse::<Addr>().expect("an address").current();
    plan.drift.insert(key("box.a"), (before.clone(), Some(after)));
    plan.drift.insert(key("box.b"), (before, None));
    expect![[r#"

        Note: Objects have changed outside of Plumb

        Plumb detected the following changes made outside of Plumb since the last
        "plumb apply":

          # box.a has changed
          ~ resource "box" "a" {
                id   = "1"
              ~ name = "a" -> "b"
            }

          # box.b has been deleted
          - resource "box" "b" {
              - id   = "1" -> null
              - name = "a" -> null
            }

        This is a refresh-only plan, so Plumb will not take any actions to undo
        these. If you were expecting these changes then you can apply this plan to
        record the updated values in the Plumb state without changing any remote
        objects.
    "#]]
    .assert_eq(&show(&plan, PlanMode::RefreshOnly));
    let normal = show(&plan, PlanMode::Normal);
    let (_, below) = normal.split_once("    }\n\n─").expect("a rule");
    expect![[r#"

        No changes. Your infrastructure matches the configuration.

        Your configuration already applies the changes detected above. Applying this
        plan will only update the Plumb state to include the changes detected above
        and won't change any real infrastructure.
    "#]]
    .assert_eq(below.trim_start_matches('─').strip_prefix('\n').expect("a line"));
}

#[test]
fn only_relevant_drift() {
    let sides = |name: &str, size: &str| {
        object(&[("id", "1".into()), ("name", name.into()), ("image", size.into())])
    };
    let mut plan = plan(Vec::new());
    let key = |addr: &str| addr.parse::<Addr>().expect("an address").current();
    for addr in ["box.a", "box.b", "box.c"] {
        plan.drift.insert(key(addr), (sides("a", "x"), Some(sides("b", "y"))));
    }
    plan.drift.insert(key("box.d"), (sides("a", "x"), None));
    plan.drift.insert(key("box.e"), (sides("a", "x"), None));
    let relevant = [
        ("box.a", Path::default().attr("name")),
        ("box.b", Path::default()),
        ("box.c", Path::default().attr("id")),
        ("box.d", Path::default().attr("id")),
    ];
    let relevant = relevant.map(|it| (it.0.to_owned(), it.1));
    let text = plan_text(PlanText {
        plan: &plan,
        schemas: &schemas(),
        mode: PlanMode::Normal,
        relevant: Some(&relevant),
        style: Style::PLAIN,
    });
    let lines = text.lines().filter(|it| it.trim_start().starts_with(['#', '~']));
    // The expectation is written without the common indent.
    let lines = lines.map(|it| it.strip_prefix("  ").unwrap_or(it));
    expect![[r#"
          # box.a has changed
          ~ resource "box" "a" {
              ~ name  = "a" -> "b"
                # (1 unchanged attribute hidden)
          # box.b has changed
          ~ resource "box" "b" {
              ~ image = "x" -> "y"
              ~ name  = "a" -> "b"
          # box.d has been deleted"#]]
    .assert_eq(&lines.collect::<Vec<_>>().join("\n"));
}

#[test]
fn what_stands_below() {
    let it = Some(object(&[("id", "1".into())]));
    let plan = plan(vec![("box.a", change(Action::Forget, it, None))]);
    let warning = forgotten_warning(&plan).expect("one is forgotten");
    assert!(warning.detail.contains("\n - box.a\n"));
    expect![[r#"

        ─────────────────────────────────────────────────────────────────────────────

        Saved the plan to: p

        To perform exactly these actions, run the following command to apply:
            plumb apply "p"
    "#]]
    .assert_eq(&saved_text(Some("p"), None, "plumb", Style::PLAIN));
}

#[test]
fn large_plans_are_shown_whole() {
    let object = |at: usize| {
        object(&[("id", Value::unknown(Type::String)), ("name", format!("n{at}").into())])
    };
    let changes = (0..20_000).map(|at| {
        let addr: Addr = format!("box.a[{at}]").parse().expect("an address");
        (addr.current(), change(Action::Create, None, Some(object(at))))
    });
    let plan = Plan { changes: changes.collect(), ..Plan::default() };
    let text = show(&plan, PlanMode::Normal);
    assert_eq!(text.matches("will be created").count(), 20_000);
}
