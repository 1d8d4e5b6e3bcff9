//! Small policies and what they say: both versions of the language, every shape of a rule, and what is broken.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeSet;
use std::fmt::Write as _;

use plumb_policy::{Case, DataText, Fault, Namespaces, Policies, Ruling, Text, Verdict};

const PLAN: &str = r#"{
  "resource_changes": [
    {"address": "docker_image.web", "type": "docker_image",
     "change": {"actions": ["create"], "before": null, "after": {"name": "nginx:latest", "label": null}}},
    {"address": "docker_container.web[0]", "type": "docker_container",
     "change": {"actions": ["delete"], "before": {"name": "web"}, "after": null}}
  ]
}"#;

fn text(path: &str, text: &str) -> Text {
    Text { path: path.to_owned(), text: text.to_owned() }
}

fn judge(
    texts: &[(&str, &str)],
    data: &[DataText],
    names: &[&str],
) -> Result<Vec<Verdict>, Vec<Fault>> {
    let texts = texts.iter().map(|(path, it)| text(path, it)).collect();
    let names: Vec<String> = names.iter().map(ToString::to_string).collect();
    let addresses = ["docker_image.web", "docker_container.web[0]", "docker_container.web"];
    let addresses: BTreeSet<String> = addresses.map(str::to_owned).into();
    let mut policies = Policies::read(texts, data, &Namespaces::of(&names))?;
    policies.judge(Case { input: PLAN, addresses: &addresses })
}

fn shown(verdicts: &[Verdict]) -> String {
    let mut out = String::new();
    for it in verdicts {
        let ruling = match it.ruling {
            Ruling::Refused => "refused",
            Ruling::Warned => "warned",
        };
        let about = it.address.as_deref().unwrap_or("-");
        write!(out, "{ruling} {} ({}) {about}: {}", it.rule, it.file, it.message).unwrap();
        for (name, value) in &it.details {
            write!(out, " {name}={value}").unwrap();
        }
        out.push('\n');
    }
    out
}

#[track_caller]
fn check(policy: &str, want: &[&str]) {
    let found = judge(&[("a.rego", policy)], &[], &[]).unwrap();
    let want: String = want.iter().map(|it| format!("{it}\n")).collect();
    assert_eq!(shown(&found), want, "{policy}");
}

/// Faults as `file:byte text from there: message`.
#[track_caller]
fn broken(policy: &str, place: Option<&str>, message: &str) {
    let faults = judge(&[("a.rego", policy)], &[], &[]).unwrap_err();
    assert_eq!(faults.len(), 1, "{faults:?}");
    let at = faults[0].place.as_ref().map(|(path, byte)| {
        assert_eq!(path, "a.rego");
        policy[*byte..].lines().next().unwrap()
    });
    assert_eq!((at, &*faults[0].message), (place, message), "{policy}");
}

#[test]
fn both_versions_of_the_language() {
    let want = ["refused main.deny (a.rego) docker_image.web: docker_image.web is not pinned"];
    check(
        "package main
         deny[msg] {
           change := input.resource_changes[_]
           contains(change.change.after.name, \":latest\")
           msg := sprintf(\"%s is not pinned\", [change.address])
         }",
        &want,
    );
    check(
        "package main
         deny contains msg if {
           some change in input.resource_changes
           endswith(change.change.after.name, \":latest\")
           msg := sprintf(\"%v is not pinned\", [change.address])
         }",
        &want,
    );
    check(
        "package main
         import future.keywords.in
         deny[msg] {
           some change in input.resource_changes
           change.type in {\"docker_image\", \"docker_tag\"}
           not glob.match(\"*@sha256:*\", [], change.change.after.name)
           msg := concat(\" \", [change.address, \"is not pinned\"])
         }",
        &want,
    );
    check(
        "package main
         import rego.v1
         deny contains msg if {
           every change in input.resource_changes { change.change.actions != [\"no-op\"] }
           regex.match(`:latest$`, input.resource_changes[0].change.after.name)
           msg := \"docker_image.web is not pinned\"
         }",
        &want,
    );
}

#[test]
fn both_versions_at_once_help_each_other() {
    let old = "package lib\nis_deleted(it) { it.change.actions[_] == \"delete\" }";
    let new = "package main
        import data.lib
        deny contains it.address if { some it in input.resource_changes; lib.is_deleted(it) }";
    let found = judge(&[("new.rego", new), ("old.rego", old)], &[], &[]).unwrap();
    let want = "refused main.deny (new.rego) docker_container.web[0]: docker_container.web[0]\n";
    assert_eq!(shown(&found), want);
}

#[test]
fn every_shape_of_a_rule() {
    check(
        "package main
         warn_b contains \"third\"
         deny_a contains {\"msg\": \"first\", \"severity\": \"high\", \"metadata\": {\"id\": 7}, \"more\": [1]}
         violation contains {\"msg\": \"second\", \"details\": {\"address\": \"docker_image.web\"}}
         violation_x_1 := \"alone\"
         deny_holds if true
         deny_not if false
         default deny_default := false
         deny[msg] if { msg := \"a key\" }
         warn contains {\"msg\": \"x\", \"resource\": input.resource_changes[1]}
         denying contains \"not a rule of ours\"
         deny_ contains \"nor this\"",
        &[
            "refused main.deny (a.rego) -: a key",
            "refused main.deny_a (a.rego) -: first severity=high id=7",
            "refused main.deny_holds (a.rego) -: The rule deny_holds holds.",
            "refused main.violation (a.rego) docker_image.web: second",
            "refused main.violation_x_1 (a.rego) -: alone",
            "warned main.warn (a.rego) docker_container.web[0]: x",
            "warned main.warn_b (a.rego) -: third",
        ],
    );
}

#[test]
fn exceptions_count() {
    check(
        "package main
         deny_a contains \"a\"
         deny_b_c contains \"b\"
         deny contains \"plain\"
         exception contains rules if { rules := [\"b_c\", \"\"] }",
        &["refused main.deny_a (a.rego) -: a"],
    );
}

#[test]
fn what_is_null_has_no_value_and_breaks_nothing() {
    check(
        "package main
         deny contains \"a\" if startswith(input.resource_changes[0].change.after.label, \"x\")
         deny contains \"b\" if input.nothing.at.all == 1
         warn contains \"c\" if not startswith(input.resource_changes[0].change.after.label, \"x\")
         warn contains \"d\" if to_number(\"x\") > 1",
        &["warned main.warn (a.rego) -: c"],
    );
}

#[test]
fn namespaces_are_chosen() {
    let texts = [
        ("a.rego", "package main\ndeny contains \"a\""),
        ("b.rego", "package terraform.docker\ndeny contains \"b\""),
        ("c.rego", "package lib[\"x.y\"]\ndeny contains \"c\""),
    ];
    let rules = |names: &[&str]| -> Vec<String> {
        judge(&texts, &[], names).unwrap().into_iter().map(|it| it.rule).collect()
    };
    assert_eq!(rules(&[]), ["main.deny"]);
    assert_eq!(rules(&["terraform.docker", "main"]), ["main.deny", "terraform.docker.deny"]);
    assert_eq!(rules(&["all"]), ["lib[\"x.y\"].deny", "main.deny", "terraform.docker.deny"]);
    let faults = judge(&texts[1..], &[], &[]).unwrap_err();
    let want = "There is no rule called deny, violation or warn in the package main: nothing would be \
                judged. There are the packages lib[\"x.y\"], terraform.docker.";
    assert_eq!(faults[0].message, want);
}

#[test]
fn data_is_found_below_its_folders() {
    let data = |path: &str, below: &[&str], it: &str| DataText {
        text: text(path, it),
        below: below.iter().map(ToString::to_string).collect(),
    };
    let policy = "package main
        deny contains sprintf(\"%v\", [[data.max, data.allowed.images[0], data.list.of[1]]])";
    let all = [
        data("p/data.json", &[], "{\"max\": 3}"),
        data("p/allowed/images.yaml", &["allowed"], "images:\n  - nginx\n"),
        data("p/list/of/x.yml", &["list", "of"], "[a, b]"),
    ];
    let found = judge(&[("a.rego", policy)], &all, &[]).unwrap();
    assert_eq!(found[0].message, "[3, \"nginx\", \"b\"]");

    let faults = |it: &[DataText]| judge(&[("a.rego", policy)], it, &[]).unwrap_err();
    let list = faults(&[data("x.json", &[], "[1]")]);
    assert_eq!(list[0].message, "Data must be an object, so that its values have names.");
    let both = faults(&[data("x.json", &[], "{\"a\": 1}"), data("y.yaml", &[], "a: 2")]);
    assert_eq!(both[0].place, Some(("y.yaml".into(), 0)));
    let torn = faults(&[data("x.json", &[], "{"), data("y.yaml", &[], "a: [")]);
    assert_eq!(torn.len(), 2, "{torn:?}");
}

#[test]
fn what_is_broken_is_told_with_its_place() {
    broken(
        "package main\ndeny contains msg if {\n  x := \n}\n",
        Some(":= "),
        "expecting `}` while parsing set",
    );
    // The version that reads further is the one that was meant.
    broken(
        "package main\ndeny[msg] {\n  msg := \"a\"\n}\nwarn[msg] {\n  msg = = 1\n}\n",
        Some("= 1"),
        "expecting expression",
    );
    broken(
        "deny := true",
        Some("deny := true"),
        "expecting `package` Missing package declaration.",
    );
    broken(
        "package main\ndeny contains x if y > 1\n",
        Some("y > 1"),
        "use of undefined variable `y` is unsafe",
    );
    broken(
        "package main\ndeny contains \"x\" if http.send({})\n",
        Some("({})"),
        "could not find function http.send",
    );
    broken(
        "package main\na if b\nb if a\ndeny contains \"x\" if a\n",
        Some("a if b"),
        "recursion detected when evaluating rule",
    );
    broken(
        "package main\ndeny := \"a\"\ndeny := \"b\"\n",
        Some("deny := \"b\""),
        "rule conflicts with rule at a.rego:2:1",
    );
    broken(
        "package main\ndeny contains 7\n",
        Some("package main"),
        "The rule deny gave 7. It has to give messages, or objects with a text called msg.",
    );
    broken(
        "package main\ndeny contains {\"message\": \"x\"}\n",
        Some("package main"),
        "The rule deny gave { \"message\": \"x\" }. It has to give messages, or objects with a text called msg.",
    );
    broken(
        "package main\nallow := true\n",
        None,
        "There is no rule called deny, violation or warn in the package main: nothing would be judged.",
    );
}

#[test]
fn an_input_that_is_not_json_is_a_fault() {
    let texts = vec![text("a.rego", "package main\ndeny contains \"a\"")];
    let mut policies = Policies::read(texts, &[], &Namespaces::All).unwrap();
    let case = Case { input: "{", addresses: &BTreeSet::new() };
    assert!(policies.judge(case).unwrap_err()[0].message.starts_with("The input is not JSON"));
}
