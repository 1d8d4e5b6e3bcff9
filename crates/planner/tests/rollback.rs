//! The way back to an older state: the configuration that is made of it, its plan, its labels.

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use common::{Lab, errors, text};
use expect_test::{Expect, expect};
use plumb_lang::restore::{Restore, Restored, restore};
use plumb_model::addr::Addr;
use plumb_model::state::State;
use plumb_planner::Planned;
use plumb_planner::rollback::{WayBack, labels};

/// The configuration that leads from the lab's state, with this configuration, to the snapshot.
fn restored(lab: &mut Lab, main: &str, snapshot: &State) -> Restored {
    lab.compile(main).unwrap_or_else(|it| panic!("{}", errors(&it)));
    let files = [(Arc::from("main.tf"), main.to_owned())];
    restore(Restore {
        snapshot,
        current: &lab.state,
        program: lab.program(),
        files: &files,
        schemas: &lab.schemas,
    })
}

/// Puts the folders in the lab; what is left is the text of the root.
fn enter(lab: &mut Lab, restored: &Restored) -> String {
    let mut root = String::new();
    lab.files.clear();
    for (folder, files) in &restored.folders {
        let text: String = files.iter().map(|it| it.1.as_str()).collect();
        if &**folder == "." {
            root = text;
        } else {
            lab.files.insert(folder.to_string().leak(), text);
        }
    }
    root
}

fn plan(lab: &mut Lab, restored: &Restored) -> (String, Planned) {
    let root = enter(lab, restored);
    match lab.plan(&root) {
        Ok((planned, _)) => (root, planned),
        Err(diagnostics) => panic!("{}\n{root}\n{:#?}", errors(&diagnostics), lab.files),
    }
}

fn labelled(
    lab: &Lab,
    planned: &Planned,
    snapshot: &State,
    refused: &BTreeMap<Addr, String>,
) -> String {
    let labels = labels(WayBack {
        plan: &planned.plan,
        snapshot,
        current: &lab.state,
        schemas: &lab.schemas,
        refused,
        protected: &BTreeSet::new(),
        targets: &[],
    });
    labels.iter().map(|it| format!("{} {}: {}\n", it.cost.name(), it.key, it.why)).collect()
}

const INNER: &str = r#"
    variable "above" {}
    variable "size" {}
    resource "test_thing" "one" {
      name = var.above
      size = var.size
    }
    resource "test_thing" "many" {
      for_each = toset(["x", "y ${var.size}"])
      name     = "${test_thing.one.id}/${each.key}"
      tags     = { size = var.size, key = each.key }
    }
    output "one" { value = test_thing.one.id }
    output "many" { value = [for it in test_thing.many : it.id] }
"#;

const WHOLE: &str = r#"
    variable "region" { default = "north" }
    locals {
      unused = test_thing.root.id
      region = var.region
    }
    provider "test" { region = local.region }
    provider "test" {
      alias  = "west"
      region = "west"
    }
    resource "test_thing" "root" {
      name = "root"
      secret = "hush"
    }
    resource "test_thing" "west" {
      provider = test.west
      count    = 2
      name     = sensitive("w${count.index}")
    }
    data "test_lookup" "l" { key = test_thing.root.id }
    resource "test_thing" "over" { name = data.test_lookup.l.value }
    module "m" {
      source   = "./m"
      for_each = { a = 1, "b c" = 2 }
      above    = test_thing.root.id
      size     = each.value
    }
    module "n" {
      source = "./m"
      above  = module.m["b c"].one
      size   = 7
    }
    resource "test_thing" "last" {
      name = module.n.many[0]
      tags = { all = join(",", module.n.many) }
    }
    output "last" { value = test_thing.last.id }
    output "secret" {
      value     = test_thing.root.secret
      sensitive = true
    }
    output "shape" { value = { a = [1, "x", null] } }
"#;

#[test]
fn what_is_restored_from_a_state_is_that_state() {
    let mut lab = Lab::new().module("m", INNER);
    lab.apply(WHOLE);
    let now = lab.state.clone();
    let restored = restored(&mut lab, WHOLE, &now);
    assert_eq!(restored.refused, BTreeMap::new());
    let (root, planned) = plan(&mut lab, &restored);
    // What leaned on the data source leans on what that leaned on.
    let little = "0: rebind test_thing.over after []\nforgotten data.test_lookup.l\n";
    assert_eq!(text(&planned.plan), little, "{root}\n{:#?}", lab.files);
    assert!(planned.plan.is_empty(), "{:#?}", planned.plan.outputs);
}

#[test]
fn what_is_made_anew_hangs_together_as_before() {
    let mut lab = Lab::new().module("m", INNER);
    lab.apply(WHOLE);
    let then = lab.state.clone();
    let empty = r#"
        provider "test" {}
        provider "test" { alias = "west" }
    "#;
    lab.apply(empty);
    let restored = restored(&mut lab, empty, &then);
    let root = enter(&mut lab, &restored);
    assert_eq!(lab.apply(&root).lines().count(), then.objects.len() - 1, "without the data source");
    let id = |state: &State, addr: &str| {
        let addr: Addr = addr.parse().unwrap();
        let object = state.current(&addr).unwrap();
        object.attrs.get_attr("id").unwrap().as_str().unwrap().to_owned()
    };
    let name = |state: &State, addr: &str| {
        let addr: Addr = addr.parse().unwrap();
        state.current(&addr).unwrap().attrs.get_attr("name").unwrap().as_str().unwrap().to_owned()
    };
    let now = &lab.state;
    assert_ne!(id(&then, "test_thing.root"), id(now, "test_thing.root"));
    for key in ["a", "b c"] {
        let one = format!("module.m[\"{key}\"].test_thing.one");
        assert_eq!(name(now, &one), id(now, "test_thing.root"));
        let many = format!("module.m[\"{key}\"].test_thing.many[\"x\"]");
        assert_eq!(name(now, &many), format!("{}/x", id(now, &one)));
    }
    assert_eq!(name(now, "module.n.test_thing.one"), id(now, "module.m[\"b c\"].test_thing.one"));
    let all = format!(
        "{},{}",
        id(now, "module.n.test_thing.many[\"x\"]"),
        id(now, "module.n.test_thing.many[\"y 7\"]")
    );
    let last: Addr = "test_thing.last".parse().unwrap();
    let tags = now.current(&last).unwrap().attrs.get_attr("tags").unwrap().clone();
    assert_eq!(tags.get_attr("all").unwrap().as_str().unwrap(), all);
    assert_eq!(name(now, "test_thing.last"), id(now, "module.n.test_thing.many[\"x\"]"));
    assert_eq!(now.outputs["last"].as_str().unwrap(), id(now, "test_thing.last"));
    // And what leans on what is remembered as before.
    for (key, object) in &then.objects {
        let Some(again) = now.objects.get(key) else { continue };
        let managed = |it: &plumb_model::state::Object| {
            it.needs
                .iter()
                .filter(|it| !it.to_string().contains("data."))
                .cloned()
                .collect::<BTreeSet<_>>()
        };
        assert!(
            managed(object).is_subset(&managed(again)),
            "{key}: {:?} {:?}",
            managed(object),
            managed(again)
        );
    }
}

fn check(before: &str, after: &str, expected: Expect) {
    let mut lab = Lab::new();
    lab.apply(before);
    let then = lab.state.clone();
    lab.apply(after);
    let restored = restored(&mut lab, after, &then);
    let (_, planned) = plan(&mut lab, &restored);
    expected.assert_eq(&labelled(&lab, &planned, &then, &restored.refused));
}

#[test]
fn every_step_says_what_it_costs() {
    check(
        r#"
            resource "test_thing" "same" { name = "same" }
            resource "test_thing" "changed" { name = "old" }
            resource "test_thing" "gone" { name = test_thing.same.id }
            resource "test_thing" "replaced" { fixed = "old" }
        "#,
        r#"
            resource "test_thing" "same" { name = "same" }
            resource "test_thing" "changed" { name = "new" }
            resource "test_thing" "made" { name = "made" }
            resource "test_thing" "replaced" { fixed = "new" }
        "#,
        expect![[r#"
            lossless test_thing.changed: changed in place
            lossy test_thing.gone: made anew: it gets a new identity, and what was in it is gone
            lossy test_thing.made: made since; it is deleted with what is in it
            lossy test_thing.replaced: replaced: it gets a new identity, and what is in it is gone
        "#]],
    );
}

#[test]
fn what_the_provider_chose_anew_is_let_be() {
    let mut lab = Lab::new();
    let config = r#" resource "test_thing" "a" { name = "a" } "#;
    lab.apply(config);
    let then = lab.state.clone();
    let key = "test_thing.a".parse::<Addr>().unwrap();
    lab.options.replace = vec![key];
    lab.apply(config);
    lab.options.replace.clear();
    let restored = restored(&mut lab, config, &then);
    let (_, planned) = plan(&mut lab, &restored);
    assert_eq!(text(&planned.plan), "");
}

#[test]
fn what_cannot_be_asked_for_is_told_with_its_reason() {
    let before = r#"
        provider "test" { alias = "west" }
        resource "test_thing" "west" {
          provider = test.west
          name     = "west"
        }
        resource "test_thing" "over" { name = test_thing.west.id }
        resource "test_thing" "n" { count = 3 }
    "#;
    let mut lab = Lab::new();
    lab.apply(before);
    let mut then = lab.state.clone();
    let gap: Addr = "test_thing.n[1]".parse().unwrap();
    then.objects.remove(&gap.current());
    lab.apply(r#" provider "test" { alias = "west" } "#);
    let restored = restored(&mut lab, "", &then);
    let (_, planned) = plan(&mut lab, &restored);
    expect![[r#"
        lossy test_thing.n[0]: made anew: it gets a new identity, and what was in it is gone
        impossible test_thing.n[2]: no configuration has an instance [2] and none of those before it
        impossible test_thing.over: it needs test_thing.west, which cannot be brought back
        impossible test_thing.west: no provider block configures provider["registry.terraform.io/plumb/test"].west any more
    "#]].assert_eq(&labelled(&lab, &planned, &then, &restored.refused));
}
