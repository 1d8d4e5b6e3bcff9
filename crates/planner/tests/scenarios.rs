//! Small configurations, planned and applied.

mod common;

use common::{Lab, errors, text};
use expect_test::{Expect, expect};
use plumb_model::value::Value;
use plumb_planner::PlanMode;

fn plan(lab: &mut Lab, config: &str, expected: Expect) {
    let found = match lab.plan(config) {
        Ok((planned, _)) => text(&planned.plan),
        Err(diagnostics) => errors(&diagnostics),
    };
    expected.assert_eq(&found);
}

fn apply(lab: &mut Lab, config: &str, expected: Expect) {
    expected.assert_eq(&lab.apply(config));
}

/// Whatever was applied, planning again finds nothing to do.
fn settled(lab: &mut Lab, config: &str) {
    let (planned, _) = lab.plan(config).unwrap_or_else(|it| panic!("{}", errors(&it)));
    assert_eq!(text(&planned.plan), "");
    assert!(planned.plan.is_empty());
}

const CHAIN: &str = r#"
    resource "test_thing" "a" { name = "a" }
    resource "test_thing" "b" { name = test_thing.a.id }
    locals { c = "${test_thing.b.id}-c" }
    resource "test_thing" "c" { name = local.c }
    output "c" { value = test_thing.c.name }
"#;

#[test]
fn what_only_the_run_knows_is_evaluated_in_it() {
    let config = r#"
        locals { now = timestamp() }
        resource "test_thing" "a" { name = local.now }
        output "length" { value = length(uuid()) }
    "#;
    let mut lab = Lab::new();
    plan(
        &mut lab,
        config,
        expect![[r#"
        Create test_thing.a
        0: evaluate after []
        1: evaluate after []
        2: create test_thing.a after [1]
    "#]],
    );
    apply(
        &mut lab,
        config,
        expect![[r#"
            create test_thing.a
        "#]],
    );
}

#[test]
fn unknown_values_flow_through_the_graph() {
    let mut lab = Lab::new();
    plan(
        &mut lab,
        CHAIN,
        expect![[r#"
        Create test_thing.a
        Create test_thing.b
        Create test_thing.c
        0: create test_thing.a after []
        1: create test_thing.b after [0]
        2: evaluate after [1]
        3: create test_thing.c after [2]
        4: evaluate after [3]
    "#]],
    );
    apply(
        &mut lab,
        CHAIN,
        expect![[r#"
        create test_thing.a
        create test_thing.b
        create test_thing.c
    "#]],
    );
    assert_eq!(lab.state.outputs["c"].as_str(), Some("0000000000000002-1-c"));
    settled(&mut lab, CHAIN);
}

#[test]
fn changes_in_place_and_removed_arguments() {
    let mut lab = Lab::new();
    apply(
        &mut lab,
        r#"resource "test_thing" "a" { size = 1 }"#,
        expect![[r#"
        create test_thing.a
    "#]],
    );
    apply(
        &mut lab,
        r#"resource "test_thing" "a" { size = 2 }"#,
        expect![[r#"
        update test_thing.a
    "#]],
    );
    plan(
        &mut lab,
        r#"resource "test_thing" "a" {}"#,
        expect![[r#"
        Update test_thing.a
        0: update test_thing.a after []
    "#]],
    );
    apply(
        &mut lab,
        r#"resource "test_thing" "a" {}"#,
        expect![[r#"
        update test_thing.a
    "#]],
    );
    settled(&mut lab, r#"resource "test_thing" "a" {}"#);
}

#[test]
fn replacement_deletes_first_or_creates_first() {
    let config = |fixed: &str, cbd: bool| {
        format!(
            r#"
            resource "test_thing" "a" {{
                fixed = "{fixed}"
                lifecycle {{ create_before_destroy = {cbd} }}
            }}
            resource "test_thing" "b" {{ name = test_thing.a.id }}
            "#
        )
    };
    let mut lab = Lab::new();
    lab.apply(&config("1", false));
    plan(
        &mut lab,
        &config("2", false),
        expect![[r#"
        Replace(DeleteFirst) test_thing.a (replace_because_cannot_update) .fixed
        Update test_thing.b
        0: delete test_thing.a after []
        1: create test_thing.a after [0]
        2: update test_thing.b after [1]
        3: join after [2]
    "#]],
    );
    lab.apply(&config("2", false));
    settled(&mut lab, &config("2", false));
    plan(
        &mut lab,
        &config("3", true),
        expect![[r#"
        Replace(CreateFirst) test_thing.a (replace_because_cannot_update) .fixed
        Update test_thing.b
        0: create test_thing.a retiring after []
        1: update test_thing.b after [0]
        2: join after [1]
        3: delete old test_thing.a after [0, 2]
    "#]],
    );
    apply(
        &mut lab,
        &config("3", true),
        expect![[r#"
        create test_thing.a
        update test_thing.b
        delete test_thing.a (deposed object b54cda58)
    "#]],
    );
    settled(&mut lab, &config("3", true));
    assert_eq!(lab.world.len(), 2);
}

#[test]
fn deletion_goes_against_the_references() {
    let mut lab = Lab::new();
    lab.apply(CHAIN);
    plan(
        &mut lab,
        "",
        expect![[r#"
        Delete test_thing.a (delete_because_no_resource_config)
        Delete test_thing.b (delete_because_no_resource_config)
        Delete test_thing.c (delete_because_no_resource_config)
        0: delete test_thing.c after []
        1: join after [0]
        2: delete test_thing.b after [1]
        3: join after [2]
        4: delete test_thing.a after [3]
    "#]],
    );
    lab.options.mode = PlanMode::Destroy;
    apply(
        &mut lab,
        CHAIN,
        expect![[r#"
        delete test_thing.c
        delete test_thing.b
        delete test_thing.a
    "#]],
    );
    assert!(lab.state.is_empty() && lab.world.is_empty());
}

#[test]
fn instances_come_and_go() {
    let mut lab = Lab::new();
    let config = |count: u32| format!(r#"resource "test_thing" "a" {{ count = {count} }}"#);
    apply(
        &mut lab,
        &config(2),
        expect![[r#"
        create test_thing.a[0]
        create test_thing.a[1]
    "#]],
    );
    plan(
        &mut lab,
        &config(1),
        expect![[r#"
        Delete test_thing.a[1] (delete_because_count_index)
        0: delete test_thing.a[1] after []
    "#]],
    );
    plan(
        &mut lab,
        r#"resource "test_thing" "a" { for_each = toset(["x"]) }"#,
        expect![[r#"
        Delete test_thing.a[0] (delete_because_wrong_repetition)
        Delete test_thing.a[1] (delete_because_wrong_repetition)
        Create test_thing.a["x"]
        0: create test_thing.a["x"] after []
        1: delete test_thing.a[0] after []
        2: delete test_thing.a[1] after []
    "#]],
    );
    plan(
        &mut lab,
        r#"resource "test_thing" "a" {}"#,
        expect![[r#"
        Delete test_thing.a[1] (delete_because_wrong_repetition)
        0: delete test_thing.a[1] after []
        moved test_thing.a[0] to test_thing.a
    "#]],
    );
}

#[test]
fn many_to_many_stays_linear() {
    let config = r#"
        resource "test_thing" "a" { count = 3 }
        locals { ids = test_thing.a[*].id }
        resource "test_thing" "b" {
            for_each = { x = local.ids[0], y = test_thing.a[1].id, z = "z" }
            name     = each.value
        }
        resource "test_thing" "c" { name = join(",", local.ids, [for it in test_thing.b : it.id]) }
    "#;
    let mut lab = Lab::new();
    plan(
        &mut lab,
        config,
        expect![[r#"
        Create test_thing.a[0]
        Create test_thing.a[1]
        Create test_thing.a[2]
        Create test_thing.b["x"]
        Create test_thing.b["y"]
        Create test_thing.b["z"]
        Create test_thing.c
        0: create test_thing.a[0] after []
        1: create test_thing.a[1] after []
        2: create test_thing.a[2] after []
        3: join after [0, 1, 2]
        4: evaluate after [3]
        5: evaluate after [3, 4]
        6: create test_thing.b["x"] after [5]
        7: create test_thing.b["y"] after [5]
        8: create test_thing.b["z"] after [5]
        9: join after [6, 7, 8]
        10: create test_thing.c after [4, 9]
    "#]],
    );
    lab.apply(config);
    settled(&mut lab, config);
}

#[test]
fn modules_pass_values_in_and_out() {
    let mut lab = Lab::new().module(
        "net",
        r#"
        variable "name" { type = string }
        resource "test_thing" "it" { name = var.name }
        output "id" { value = test_thing.it.id }
        "#,
    );
    let config = r#"
        module "one" {
            source = "./net"
            name   = "one"
        }
        module "many" {
            source   = "./net"
            for_each = toset(["x", "y"])
            name     = "${each.key}-${module.one.id}"
        }
        output "ids" { value = [for it in module.many : it.id] }
    "#;
    plan(
        &mut lab,
        config,
        expect![[r#"
        Create module.many["x"].test_thing.it
        Create module.many["y"].test_thing.it
        Create module.one.test_thing.it
        0: create module.one.test_thing.it after []
        1: evaluate after [0]
        2: evaluate after [1]
        3: evaluate after [1]
        4: create module.many["x"].test_thing.it after [2]
        5: create module.many["y"].test_thing.it after [3]
        6: evaluate after [4]
        7: evaluate after [5]
        8: evaluate after [6, 7]
    "#]],
    );
    apply(
        &mut lab,
        config,
        expect![[r#"
        create module.one.test_thing.it
        create module.many["x"].test_thing.it
        create module.many["y"].test_thing.it
    "#]],
    );
    settled(&mut lab, config);
    plan(
        &mut lab,
        "",
        expect![[r#"
            Delete module.many["x"].test_thing.it (delete_because_no_resource_config)
            Delete module.many["y"].test_thing.it (delete_because_no_resource_config)
            Delete module.one.test_thing.it (delete_because_no_resource_config)
            0: delete module.many["x"].test_thing.it after []
            1: delete module.many["y"].test_thing.it after []
            2: join after [0, 1]
            3: delete module.one.test_thing.it after [2]
        "#]],
    );
}

#[test]
fn depends_on_a_module_waits_for_all_of_it() {
    let mut lab = Lab::new().module("m", r#"resource "test_thing" "it" { count = 2 }"#);
    let config = r#"
        resource "test_thing" "first" {}
        module "m" {
            source     = "./m"
            depends_on = [test_thing.first]
        }
        resource "test_thing" "last" { depends_on = [module.m] }
        data "test_lookup" "late" {
            key        = "k"
            depends_on = [test_thing.first]
        }
    "#;
    plan(
        &mut lab,
        config,
        expect![[r#"
        Read data.test_lookup.late (read_because_dependency_pending)
        Create test_thing.first
        Create test_thing.last
        Create module.m.test_thing.it[0]
        Create module.m.test_thing.it[1]
        0: create test_thing.first after []
        1: join after [0]
        2: create module.m.test_thing.it[0] after [1]
        3: create module.m.test_thing.it[1] after [1]
        4: join after [2, 3]
        5: join after [4]
        6: create test_thing.last after [5]
        7: read data.test_lookup.late after [0]
    "#]],
    );
    lab.apply(config);
    settled(&mut lab, config);
}

#[test]
fn drift_is_seen_and_repaired() {
    let config = r#"
        resource "test_thing" "a" { size = 1 }
        resource "test_thing" "b" { size = 2 }
    "#;
    let mut lab = Lab::new();
    lab.apply(config);
    let ids: Vec<String> = lab.world.keys().cloned().collect();
    let mut attrs = lab.world[&ids[0]].as_map().unwrap().clone();
    attrs.insert("size".into(), Value::number(9));
    // What the configuration leaves out is unmanaged.
    attrs.insert("name".into(), Value::string("given by hand"));
    lab.world.insert(ids[0].clone(), Value::object(attrs));
    lab.world.remove(&ids[1]);
    plan(
        &mut lab,
        config,
        expect![[r#"
        Create test_thing.a
        Update test_thing.b
        0: update test_thing.b after []
        1: create test_thing.a after []
        drifted test_thing.b
        vanished test_thing.a
    "#]],
    );
    apply(
        &mut lab,
        config,
        expect![[r#"
        update test_thing.b
        create test_thing.a
    "#]],
    );
    settled(&mut lab, config);
}

#[test]
fn drift_alone_is_repaired_on_request() {
    let config = r#"
        resource "test_thing" "a" { size = 1 }
        resource "test_thing" "b" { size = 2 }
        resource "test_thing" "c" { name = test_thing.a.id }
        resource "test_thing" "d" { size = 4 }
        output "a" { value = test_thing.a.id }
    "#;
    let mut lab = Lab::new();
    lab.apply(config);
    let id = |lab: &Lab, name: &str| {
        let key = format!("test_thing.{name}");
        let object = lab.state.current(&key.parse().unwrap()).unwrap();
        object.attrs.get_attr("id").and_then(Value::as_str).unwrap().to_owned()
    };
    let (a, b) = (id(&lab, "a"), id(&lab, "b"));
    lab.world.remove(&a);
    let mut attrs = lab.world[&b].as_map().unwrap().clone();
    attrs.insert("size".into(), Value::number(9));
    lab.world.insert(b, Value::object(attrs));
    // What is asked for besides: one more, another size of what drifted, another of what did not.
    let edited = r#"
        resource "test_thing" "a" { size = 1 }
        resource "test_thing" "b" { size = 3 }
        resource "test_thing" "c" { name = test_thing.a.id }
        resource "test_thing" "d" { size = 5 }
        resource "test_thing" "e" { size = 6 }
        output "a" { value = test_thing.a.id }
        output "e" { value = test_thing.e.id }
    "#;
    lab.options.drift_only = true;
    let (planned, _) = lab.plan(edited).unwrap();
    assert_eq!(planned.plan.notes.len(), 1, "{:?}", planned.plan.notes);
    assert_eq!(planned.plan.notes[0].address.as_deref(), Some("test_thing.b"));
    apply(
        &mut lab,
        edited,
        expect![[r#"
        create test_thing.a
        update test_thing.c
    "#]],
    );
    assert_eq!(lab.state.outputs["a"].as_str(), Some(&*id(&lab, "a")));
    assert!(!lab.state.outputs.contains_key("e"));
    let (planned, _) = lab.plan(edited).unwrap();
    assert!(planned.plan.changes.values().all(|it| it.action == plumb_model::plan::Action::Keep));
    lab.options.drift_only = false;
    lab.apply(edited);
    settled(&mut lab, edited);
}

#[test]
fn what_is_ephemeral_is_kept_nowhere() {
    let mut lab = Lab::new().module(
        "m",
        r#"
        variable "kept" { default = "" }
        variable "passing" {
            default = ""
            ephemeral = true
        }
        output "kept" { value = var.kept }
        output "passing" {
            value = var.passing
            ephemeral = true
        }
        output "let_out" { value = var.passing }
        "#,
    );
    let given = r#"
        variable "token" {
            default = "x"
            ephemeral = true
        }
    "#;
    let mut check = |config: &str, expected: Expect| {
        expected.assert_eq(&lab.apply(&format!("{given}\n{config}")));
        assert!(lab.state.objects.is_empty());
    };
    check(
        r#"
        resource "test_thing" "a" {
            name = "a-${var.token}"
            tags = { token = var.token }
        }
        "#,
        expect![[r#"
            Invalid use of ephemeral value: Ephemeral values are not valid in resource arguments, because resource instances must persist between Terraform phases.
            Invalid use of ephemeral value: Ephemeral values are not valid in resource arguments, because resource instances must persist between Terraform phases.
        "#]],
    );
    check(
        r#"
        module "m" {
            source = "./m"
            kept = var.token
        }
        "#,
        expect![[r#"
            Ephemeral value not allowed: This output value is not declared as returning an ephemeral value, so it cannot be set to a result derived from an ephemeral value.
            Ephemeral value not allowed: The value of the module's variable "kept" is ephemeral, but the variable is not declared so. Set `ephemeral = true` in its block to let it take such values.
        "#]],
    );
    check(
        r#"
        module "m" {
            source = "./m"
            passing = var.token
        }
        resource "test_thing" "a" { name = module.m.passing }
        "#,
        expect![[r#"
            Invalid use of ephemeral value: Ephemeral values are not valid in resource arguments, because resource instances must persist between Terraform phases.
            Ephemeral value not allowed: This output value is not declared as returning an ephemeral value, so it cannot be set to a result derived from an ephemeral value.
        "#]],
    );
}

#[test]
fn a_block_does_not_speak_of_itself() {
    let check = |config: &str, expected: Expect| expected.assert_eq(&Lab::new().apply(config));
    let found = expect![[r#"
        Self-referential block: Configuration for test_thing.a may not refer to itself.
        Self-referential block: Configuration for test_thing.a may not refer to itself.
    "#]];
    check(r#"resource "test_thing" "a" { name = test_thing.a.id }"#, found);
    let found = expect![[r#"
        Self-referential block: Configuration for test_thing.a[0] may not refer to itself.
    "#]];
    check(
        r#"
        resource "test_thing" "a" {
            count = 2
            name = test_thing.a[0].id
        }
        "#,
        found,
    );
    let found = expect![[r#"
        Self-referential block: Configuration for test_thing.a may not refer to itself.
    "#]];
    check(r#"resource "test_thing" "a" { count = length(test_thing.a) }"#, found);
    let found = expect![[r#"
        Invalid reference in precondition: Configuration for test_thing.a may not refer to itself.
    "#]];
    check(
        r#"
        resource "test_thing" "a" {
            lifecycle {
                precondition {
                    condition = test_thing.a.id != ""
                    error_message = "no"
                }
            }
        }
        "#,
        found,
    );
    // None of it is there.
    check(
        r#"
        resource "test_thing" "a" {
            count = 0
            name = test_thing.a[0].id
        }
        "#,
        expect![""],
    );
}

#[test]
fn failures_skip_what_depends_on_them_and_nothing_else() {
    let config = r#"
        resource "test_thing" "a" {}
        resource "test_thing" "b" { name = test_thing.a.id }
        resource "test_thing" "c" { name = test_thing.b.id }
        resource "test_thing" "x" {}
        output "b" { value = test_thing.b.id }
        output "x" { value = test_thing.x.id }
    "#;
    let mut lab = Lab::new();
    lab.failing.insert("test_thing.a".to_owned());
    apply(
        &mut lab,
        config,
        expect![[r#"
        create test_thing.x
        create test_thing.a
        : refused
        skipped test_thing.b
        skipped test_thing.c
    "#]],
    );
    assert!(lab.state.outputs.contains_key("x") && !lab.state.outputs.contains_key("b"));
    lab.failing.clear();
    apply(
        &mut lab,
        config,
        expect![[r#"
        create test_thing.a
        create test_thing.b
        create test_thing.c
    "#]],
    );
    settled(&mut lab, config);
}

#[test]
fn data_sources_are_read_early_when_they_can_be() {
    let config = r#"
        data "test_lookup" "early" { key = "k" }
        resource "test_thing" "a" { name = data.test_lookup.early.value }
        data "test_lookup" "late" { key = test_thing.a.id }
        output "late" { value = data.test_lookup.late.value }
    "#;
    let mut lab = Lab::new();
    plan(
        &mut lab,
        config,
        expect![[r#"
        Read data.test_lookup.late (read_because_config_unknown)
        Create test_thing.a
        0: create test_thing.a after []
        1: read data.test_lookup.late after [0]
        2: evaluate after [1]
        recorded data.test_lookup.early
    "#]],
    );
    lab.apply(config);
    settled(&mut lab, config);
    assert_eq!(lab.state.outputs["late"].as_str(), Some("<0000000000000002-0>"));
}

#[test]
fn moved_removed_and_imported() {
    let mut lab = Lab::new();
    lab.apply(r#"resource "test_thing" "a" { size = 1 }"#);
    let moved = r#"
        resource "test_thing" "b" { size = 1 }
        moved {
            from = test_thing.a
            to   = test_thing.b
        }
    "#;
    plan(
        &mut lab,
        moved,
        expect![[r#"
        moved test_thing.a to test_thing.b
    "#]],
    );
    lab.apply(moved);
    settled(&mut lab, moved);
    let removed = r#"
        removed {
            from = test_thing.b
            lifecycle { destroy = false }
        }
    "#;
    plan(
        &mut lab,
        removed,
        expect![[r#"
            Forget test_thing.b (delete_because_no_resource_config)
            0: forget test_thing.b after []
        "#]],
    );
    lab.apply(removed);
    let id = lab.world.keys().next().unwrap().clone();
    let import = format!(
        r#"
        resource "test_thing" "c" {{ size = 1 }}
        import {{
            to = test_thing.c
            id = "{id}"
        }}
        "#
    );
    plan(
        &mut lab,
        &import,
        expect![[r#"
        recorded test_thing.c
    "#]],
    );
    lab.apply(&import);
    settled(&mut lab, &import);
}

#[test]
fn targets_take_what_they_need() {
    let mut lab = Lab::new();
    lab.options.targets = vec!["test_thing.b".parse().unwrap()];
    let config = r#"
        resource "test_thing" "a" {}
        resource "test_thing" "b" { name = test_thing.a.id }
        resource "test_thing" "c" { name = test_thing.b.id }
    "#;
    plan(
        &mut lab,
        config,
        expect![[r#"
        Create test_thing.a
        Create test_thing.b
        0: create test_thing.a after []
        1: create test_thing.b after [0]
    "#]],
    );
    lab.apply(config);
    lab.options.targets = vec!["test_thing.c".parse().unwrap()];
    lab.apply(config);
    lab.options.targets = Vec::new();
    lab.apply(config);
    settled(&mut lab, config);
    lab.options.mode = PlanMode::Destroy;
    lab.options.targets = vec!["test_thing.b".parse().unwrap()];
    plan(
        &mut lab,
        config,
        expect![[r#"
        Delete test_thing.b
        Delete test_thing.c
        0: delete test_thing.c after []
        1: join after [0]
        2: delete test_thing.b after [1]
    "#]],
    );
}

#[test]
fn lifecycle_arguments() {
    let mut lab = Lab::new();
    let config = |size: u32, fixed: &str| {
        format!(
            r#"
            resource "test_thing" "a" {{
                size  = {size}
                fixed = "{fixed}"
                lifecycle {{
                    ignore_changes  = [size]
                    prevent_destroy = true
                }}
            }}
            resource "test_thing" "b" {{
                lifecycle {{ replace_triggered_by = [test_thing.a.fixed] }}
            }}
            "#
        )
    };
    lab.apply(&config(1, "x"));
    settled(&mut lab, &config(2, "x"));
    plan(
        &mut lab,
        &config(2, "y"),
        expect![[r#"
        Instance cannot be destroyed: Resource test_thing.a has lifecycle.prevent_destroy set, but the plan calls for this resource to be destroyed. To avoid this error and continue with the plan, either disable lifecycle.prevent_destroy or reduce the scope of the plan using the -target option.
    "#]],
    );
}

#[test]
fn mistakes_are_diagnostics() {
    for (config, expected) in [
        (
            "resource \"test_thing\" \"a\" { name = test_thing.b.id }\nresource \"test_thing\" \"b\" { name = test_thing.a.id }",
            expect![[r#"
            Cycle: test_thing.a, test_thing.b: Each of these needs another one of them first. Break the circle by taking one of the references out.
        "#]],
        ),
        (
            "resource \"test_thing\" \"a\" { name = var.x }",
            expect![[r#"
            Reference to undeclared input variable: An input variable with the name "x" has not been declared. This variable can be declared with a variable "x" {} block.
        "#]],
        ),
        (
            "resource \"test_thing\" \"a\" { nam = 1 }",
            expect![[r#"
            Unsupported argument: An argument named "nam" is not expected here.
        "#]],
        ),
        (
            "resource \"test_thing\" \"a\" { size = \"x\" }",
            expect![[r#"
            Incorrect attribute value type: Inappropriate value for attribute "size": a number is required.
        "#]],
        ),
        (
            "resource \"test_thing\" \"a\" { name = self.id }",
            expect![[r#"
            Invalid "self" reference: The "self" object is not available in this context. This object can be used only in resource provisioner, connection, and postcondition blocks.
        "#]],
        ),
        (
            "resource \"test_thing\" \"a\" { name = test_thing.a.id }",
            expect![[r#"
                Self-referential block: Configuration for test_thing.a may not refer to itself.
                Self-referential block: Configuration for test_thing.a may not refer to itself.
            "#]],
        ),
        (
            "resource \"test_thign\" \"a\" {}",
            expect![[r#"
            Invalid resource type: The provider plumb/test does not support resource type "test_thign". Did you mean "test_thing"?
        "#]],
        ),
        (
            "resource \"other_thing\" \"a\" {}",
            expect![[r#"
            Unknown provider: The provider registry.terraform.io/hashicorp/other is not compiled into plumb. It has: plumb/test.
        "#]],
        ),
        (
            "variable \"x\" {}",
            expect![[r#"
            No value for required variable: The root module input variable "x" is not set, and has no default value. Use a -var or -var-file command line argument to provide a value for this variable.
        "#]],
        ),
        (
            "resource \"test_thing\" \"a\" {}\nresource \"test_thing\" \"b\" { for_each = toset([test_thing.a.id]) }",
            expect![[r#"
            Invalid for_each argument: The "for_each" set includes values derived from resource attributes that cannot be determined until apply, and so the full set of keys that will identify the instances of this resource cannot be determined.

            When working with unknown values in for_each, it's better to use a map value where the keys are defined statically in your configuration and where only the values contain apply-time results.

            Alternatively, you could use the -target planning option to first apply only the resources that the for_each value depends on, and then apply a second time to fully converge.
        "#]],
        ),
    ] {
        plan(&mut Lab::new(), config, expected);
    }
}

#[test]
fn long_chains_overflow_nothing() {
    let count = 20_000;
    let mut config = String::from("resource \"test_thing\" \"t0\" {}\n");
    for index in 1..count {
        config += &format!(
            "resource \"test_thing\" \"t{index}\" {{ name = test_thing.t{}.id }}\n",
            index - 1
        );
    }
    let (planned, _) = Lab::new().plan(&config).unwrap_or_else(|it| panic!("{}", errors(&it)));
    assert_eq!(planned.plan.steps.len(), count);
}

const CHECKS: &str = r#"
    resource "test_thing" "a" { name = "a" }
    check "own" {
      data "test_lookup" "l" { key = "missing" }
      assert {
        condition     = data.test_lookup.l.value == "x"
        error_message = "not x"
      }
    }
    check "later" {
      assert {
        condition     = test_thing.a.chosen == "by us"
        error_message = "chosen ${test_thing.a.chosen}"
      }
      assert {
        condition     = test_thing.a.name == "b"
        error_message = "is ${test_thing.a.name}"
      }
    }
"#;

/// What fails is said and remembered, and stops nothing.
#[test]
fn checks_warn() {
    let said = |checks: &[plumb_model::state::CheckResult]| {
        let lines = checks.iter().flat_map(|it| it.objects.iter());
        lines.map(|(addr, status, why)| format!("{addr} {status:?} {why:?}\n")).collect::<String>()
    };
    let mut lab = Lab::new();
    let (planned, _) = lab.plan(CHECKS).unwrap_or_else(|it| panic!("{}", errors(&it)));
    expect![[r#"
        Read data.test_lookup.l (read_because_check_nested)
        Create test_thing.a
        0: create test_thing.a after []
        1: evaluate after [0]
        2: read data.test_lookup.l after []
        3: evaluate after [2]
    "#]]
    .assert_eq(&text(&planned.plan));
    expect![[r#"
        check.later Fail ["is a"]
        check.own Fail ["No such key: Look."]
    "#]]
    .assert_eq(&said(&planned.plan.checks));
    expect![[r#"
        Check block assertion known after apply: The condition could not be evaluated at this time, a result will be known when this plan is applied.
        Check block assertion failed: is a
        No such key: Look.
    "#]].assert_eq(&errors(&planned.plan.check_notes));
    apply(
        &mut lab,
        CHECKS,
        expect![[r#"
        create test_thing.a
        : Check block assertion failed
        : Check block assertion failed
        data.test_lookup.l: No such key
    "#]],
    );
    expect![[r#"
        check.later Fail ["chosen by the system", "is a"]
        check.own Fail ["No such key: Look."]
    "#]]
    .assert_eq(&said(&lab.state.checks));
    let outside = format!("{CHECKS}\n output \"o\" {{ value = data.test_lookup.l.value }}");
    plan(
        &mut lab,
        &outside,
        expect![[r#"
        Reference to scoped resource: The referenced data resource "test_lookup" "l" is not available from this context.
    "#]],
    );
}

/// Neither names the other, and one comes first in the text.
const COMPANIONS: &str = r#"
    resource "test_thing" "net" { name = "net" }
    resource "test_thing" "port" { name = test_thing.net.id }
    resource "test_address" "a" { name = test_thing.port.id }
    resource "test_thing" "router" { name = "router" }
    resource "test_link" "l" { name = "${test_thing.router.id} ${test_thing.net.id}" }
    resource "test_thing" "other" { name = "other" }
    resource "test_address" "lone" { name = test_thing.other.id }
"#;

#[test]
fn companions_are_made_first_and_go_last() {
    let mut lab = Lab::new();
    apply(
        &mut lab,
        COMPANIONS,
        expect![[r#"
        create test_thing.router
        create test_thing.other
        create test_thing.net
        create test_thing.port
        create test_link.l
        create test_address.lone
        create test_address.a
    "#]],
    );
    settled(&mut lab, COMPANIONS);
    apply(
        &mut lab,
        "",
        expect![[r#"
        delete test_address.a
        delete test_address.lone
        delete test_thing.port
        delete test_thing.other
        delete test_link.l
        delete test_thing.net
        delete test_thing.router
    "#]],
    );
}

#[test]
fn what_the_configuration_says_goes_before_companions() {
    let config = r#"
        resource "test_thing" "net" { name = "net" }
        resource "test_address" "a" { name = test_thing.net.id }
        resource "test_link" "l" { name = "${test_address.a.id} ${test_thing.net.id}" }
    "#;
    let mut lab = Lab::new();
    apply(
        &mut lab,
        config,
        expect![[r#"
        create test_thing.net
        create test_address.a
        create test_link.l
    "#]],
    );
    apply(
        &mut lab,
        "",
        expect![[r#"
        delete test_link.l
        delete test_address.a
        delete test_thing.net
    "#]],
    );
}

#[test]
fn what_is_foreseen_says_which_new_object_refers_to_which() {
    let config = r#"
        resource "test_thing" "net" {
            count = 2
            name  = "net${count.index}"
        }
        locals { ids = { for it in test_thing.net : it.name => it.id } }
        resource "test_thing" "port" {
            for_each = local.ids
            name     = each.value
        }
        resource "test_thing" "host" {
            count = 2
            name  = test_thing.port["net${1 - count.index}"].id
        }
        resource "test_thing" "known" { name = "n" }
    "#;
    let mut lab = Lab::new();
    let expected = expect![[r#"
        test_thing.host[0] <test_thing.port["net1"] id>
        test_thing.host[1] <test_thing.port["net0"] id>
        test_thing.known n
        test_thing.net[0] net0
        test_thing.net[1] net1
        test_thing.port["net0"] <test_thing.net[0] id>
        test_thing.port["net1"] <test_thing.net[1] id>
    "#]];
    expected.assert_eq(&lab.foreseen(config));
}
