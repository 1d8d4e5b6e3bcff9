//! Plans, checks and diagnostics for pipelines.

use expect_test::expect;
use plumb_diag::{Diagnostic, Sources};
use plumb_model::plan::Plan;
use plumb_model::state::{CheckResult, CheckStatus};
use plumb_report::{
    PlanMarkdown, PlanMode, PlanText, Style, annotations, checks_junit, gitlab_report,
    plan_markdown, problems_markdown, sarif_diagnostics, step_output,
};

use crate::common::{golden, read_plan, schemas};
use crate::sample::{HOSTILE, sources, stray};
use crate::valid;

fn plan(name: &str) -> Plan {
    read_plan(&golden(&format!("{name}/plan.json")))
}

fn shown(plan: &Plan, notes: &[Diagnostic], bytes_max: usize) -> String {
    let schemas = schemas();
    let mode = PlanMode::Normal;
    let text = PlanText { plan, schemas: &schemas, mode, relevant: None, style: Style::COLOUR };
    let sources = sources().0;
    let input = PlanMarkdown { text, notes, sources: &sources, workspace: "default" };
    plan_markdown(input, bytes_max)
}

fn notes() -> Vec<Diagnostic> {
    let (_, web, accept) = sources();
    vec![
        Diagnostic::error("Unsupported argument", "An argument named \"x\" is not expected here.")
            .at(web)
            .hint("Did you mean \"y\"?"),
        Diagnostic::warning(HOSTILE, HOSTILE).about("docker_container.web").related(accept, "here"),
        Diagnostic::warning("Check block assertion failed", ""),
    ]
}

#[test]
fn the_plan_of_a_comment() {
    expect![[r####"
        ### Plan: 3 to add, 10 to change, 5 to destroy.

        Workspace <code>default</code>.

        | Action | Objects |
        |---|---|
        | add | 3 |
        | change | 10 |
        | destroy | 5 |

        <details><summary><code>terraform&#95;data.cnt&#91;2&#93;</code> will be destroyed</summary>

        ```diff
          # terraform_data.cnt[2] will be destroyed
          # (because index [2] is out of range for count)
        -   resource "terraform_data" "cnt" {
        -       id     = "361c26f9-6fbe-c4ea-c5a8-ef895a8e8699" -> null
        -       input  = 2 -> null
        -       output = 2 -> null
            }
        ```

        </details>

        <details><summary><code>terraform&#95;data.dep</code> will be updated in-place</summary>

        ```diff
          # terraform_data.dep will be updated in-place
        !   resource "terraform_data" "dep" {
                id     = "c3c69ee4-1e8a-3da6-0b3e-1b3984e09079"
        !       input  = "x" -> (known after apply)
        !       output = "x" -> (known after apply)
            }
        ```

        </details>

        <details><summary><code>terraform&#95;data.each&#91;&#34;b&#34;&#93;</code> will be destroyed</summary>

        ```diff
          # terraform_data.each["b"] will be destroyed
          # (because key ["b"] is not in for_each map)
        -   resource "terraform_data" "each" {
        -       id     = "d09c777d-8f09-15fe-089f-e7c690523f7f" -> null
        -       input  = "b" -> null
        -       output = "b" -> null
            }
        ```

        </details>

        <details><summary><code>terraform&#95;data.fresh</code> will be created</summary>

        ```diff
          # terraform_data.fresh will be created
        +   resource "terraform_data" "fresh" {
        +       id               = (known after apply)
        +       input            = {
        +           a   = 1
        +           b   = "x"
        +           c   = "251c633b-050e-1d6c-61c3-243e7138acea"
        +           e   = {}
        +           el  = []
        +           j   = jsonencode(
                        {
        +                   a = [
        +                       1,
                            ]
                        }
                    )
        +           l   = [
        +               1,
        +               "two",
        +               null,
                    ]
        +           n   = null
        +           s   = (sensitive value)
        +           sub = (known after apply)
        +           t   = <<-EOT
                        two
                        lines
                    EOT
                }
        +       output           = (known after apply)
        +       triggers_replace = (sensitive value)
            }
        ```

        </details>

        - <code>terraform&#95;data.fresh2</code> will be created (what exactly is too long to be shown here)

        - <code>terraform&#95;data.gone</code> will be destroyed (what exactly is too long to be shown here)


        > **14 more entries not shown**: this text may have at most 2600 bytes.
    "####]].assert_eq(&shown(&plan("a"), &notes()[..1], 2600));
}

#[test]
fn no_changes() {
    expect![[r#"
        ### No changes.

        Workspace <code>default</code>.

    "#]]
    .assert_eq(&shown(&Plan::default(), &[], 1000));
}

#[test]
fn whatever_there_is_room_for() {
    let plan = plan("b");
    let whole = shown(&plan, &notes(), 1 << 20);
    for bytes_max in (0..whole.len() + 200).step_by(97) {
        let text = shown(&plan, &notes(), bytes_max);
        assert!(text.len() <= bytes_max);
        assert_eq!(text.matches("<details>").count(), text.matches("</details>").count(), "{text}");
        let fences = text.lines().filter(|it| it.starts_with("```")).count();
        assert_eq!(fences % 2, 0, "{text}");
        let complete = !["not shown", "too long to be shown", "in full in the log"]
            .iter()
            .any(|it| text.contains(it));
        assert!(!complete || text == whole || bytes_max < 400, "{bytes_max}: {text}");
    }
    assert!(!whole.contains("\u{1b}") && !whole.contains("@all") && !whole.contains("<script"));
}

#[test]
fn the_three_numbers_of_gitlab() {
    let json: serde_json::Value = serde_json::from_str(&gitlab_report(&plan("a"))).expect("JSON");
    let theirs: serde_json::Value =
        serde_json::from_str(&golden("a/plan.json")).expect("a plan of Terraform");
    let actions = theirs["resource_changes"].as_array().expect("a list").iter();
    let actions: Vec<&str> = actions
        .flat_map(|it| it["change"]["actions"].as_array().expect("a list"))
        .map(|it| it.as_str().expect("a name"))
        .collect();
    // As GitLab's manual counts them.
    for name in ["create", "update", "delete"] {
        let count = actions.iter().filter(|it| **it == name).count();
        assert_eq!(json[name], count, "{name}");
    }
    assert_eq!(json.as_object().map(serde_json::Map::len), Some(3));
}

#[test]
fn diagnostics_for_scanners() {
    let text = sarif_diagnostics(&notes(), &sources().0, "1.2.3");
    valid::json_schema("tests/schemas/sarif-2.1.0.json", &text);
    let json: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    let results = json["runs"][0]["results"].as_array().expect("a list");
    let place = &results[0]["locations"][0]["physicalLocation"];
    assert_eq!(place["artifactLocation"]["uri"], "main.tf");
    assert_eq!(place["region"]["startLine"], 2);
    let rules = json["runs"][0]["tool"]["driver"]["rules"].as_array().expect("a list");
    for result in results {
        let index = result["ruleIndex"].as_u64().and_then(|it| usize::try_from(it).ok());
        assert_eq!(result["ruleId"], rules[index.expect("a number")]["id"]);
        assert!(result["locations"][0]["physicalLocation"]["region"]["startLine"].is_u64());
    }
    let none = sarif_diagnostics(&[], &Sources::default(), "1.2.3");
    valid::json_schema("tests/schemas/sarif-2.1.0.json", &none);
    // Without any file there is no place to show it at.
    let without = sarif_diagnostics(&notes()[2..], &Sources::default(), "1.2.3");
    valid::json_schema("tests/schemas/sarif-2.1.0.json", &without);
}

#[test]
fn annotations_are_one_command_each() {
    expect![[r#"
        ::error file=main.tf,line=2,endLine=2,col=1,endColumn=34,title=Unsupported argument::An argument named "x" is not expected here. Did you mean "y"?
        ::warning title=x"]]><script>|`@all`%0A%3A%3Aerror%3A%3A\x1b[31m\u202e{{ a }}</details>\x01\::with docker_container.web%0Ax"]]><script>|`@all`%0A::error::\x1b[31m\u202e{{ a }}</details>\x01\
        ::warning title=Check block assertion failed::Check block assertion failed
    "#]].assert_eq(&annotations(&notes(), &sources().0));
    let astray = Diagnostic::error("A", "b").at(stray());
    assert_eq!(annotations(&[astray], &sources().0), "::error title=A::b\n");
}

#[test]
fn outputs_cannot_be_smuggled() {
    assert_eq!(step_output("add", "3"), "add<<plumb_end\n3\nplumb_end\n");
    let value = "x\nplumb_end\nevil<<y\nplumb_end_";
    assert_eq!(step_output("a", value), format!("a<<plumb_end__\n{value}\nplumb_end__\n"));
}

#[test]
fn checks_as_tests() {
    let check = |status, objects: &[(&str, CheckStatus, &[&str])]| CheckResult {
        object_kind: "check",
        config_addr: "check.up".into(),
        status,
        objects: objects
            .iter()
            .map(|(address, status, problems)| {
                ((*address).into(), *status, problems.iter().map(|it| (*it).into()).collect())
            })
            .collect(),
    };
    let checks = [
        check(CheckStatus::Unknown, &[]),
        check(
            CheckStatus::Fail,
            &[
                ("check.up", CheckStatus::Pass, &[]),
                ("check.a[\"<&>\"]", CheckStatus::Fail, &[HOSTILE, "second"]),
                ("check.b", CheckStatus::Error, &[]),
            ],
        ),
    ];
    let xml = checks_junit(&checks, "2026-11-05T12:00:00Z");
    valid::junit(&xml);
    expect![[r#"
        <?xml version="1.0" encoding="UTF-8"?>
        <testsuites tests="4" failures="1" errors="1">
          <testsuite name="plumb checks" tests="4" failures="1" errors="1" skipped="1" timestamp="2026-11-05T12:00:00Z">
            <testcase classname="check" name="check.up"><skipped message="not known before the apply"/></testcase>
            <testcase classname="check" name="check.up"/>
            <testcase classname="check" name="check.a[&quot;&lt;&amp;&gt;&quot;]"><failure type="check" message="x&quot;]]&gt;&lt;script&gt;|`@all`">
        x&quot;]]&gt;&lt;script&gt;|`@all`
        ::error::\x1b[31m\u202e{{ a }}&lt;/details&gt;\x01\
        second
        </failure></testcase>
            <testcase classname="check" name="check.b"><error type="check" message="check.b could not be evaluated"></error></testcase>
          </testsuite>
        </testsuites>
    "#]].assert_eq(&xml);
    valid::junit(&checks_junit(&[], "2026-11-05T12:00:00Z"));
}

#[test]
fn problems_for_comments() {
    let text = problems_markdown("Plan failed", &notes(), &sources().0, 10_000);
    expect![[r####"
        ### Plan failed


        **Errors**

        - **Unsupported argument** on <code>main.tf&#58;2</code><br>An argument named "x" is not expected here. Did you mean "y"?

        **Warnings**

        - **x\\"\]\]&gt;&lt;script&gt;&#124;\`&#64;all\`\\n&#58;&#58;error&#58;&#58;\\x1b\[31m\\u202e\{\{ a \}\}&lt;/details&gt;\\x01\\\\** with <code>docker&#95;container.web</code><br>x"\]\]&gt;&lt;script&gt;&#124;\`&#64;all\`<br>&#58;&#58;error&#58;&#58;\\x1b\[31m\\u202e\{\{ a \}\}&lt;/details&gt;\\x01\\\\
        - **Check block assertion failed**
    "####]].assert_eq(&text);
    assert!(problems_markdown("Plan failed", &notes(), &sources().0, 5).len() <= 5);
}
