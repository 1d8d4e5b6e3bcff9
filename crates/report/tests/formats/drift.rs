//! Drift in all its forms.

use expect_test::expect;
use plumb_drift::{Class, DriftReport};
use plumb_report::{
    Style, drift_json, drift_junit, drift_markdown, drift_prometheus, drift_sarif, drift_text,
    finding_json, moved_json, read_previous,
};

use crate::sample::{SECRET, nothing, report, stray};
use crate::valid;

fn all(report: &DriftReport, sources: &plumb_diag::Sources) -> Vec<(&'static str, String)> {
    vec![
        ("text", drift_text(report, sources, Style::PLAIN)),
        ("json", drift_json(report, sources)),
        ("markdown", drift_markdown(report, sources, 65_000)),
        ("junit", drift_junit(report, sources)),
        ("sarif", drift_sarif(report, sources, "1.2.3")),
        ("prometheus", drift_prometheus(report)),
    ]
}

#[test]
fn no_form_shows_a_secret_or_a_control_character() {
    let (report, sources) = report();
    for (name, text) in all(&report, &sources) {
        assert!(!text.contains(SECRET), "{name}: {text}");
        let bad = |it: char| {
            // JSON is data; whoever shows it looks to that.
            it.is_control() && it != '\n' || it == '\u{202e}' && !matches!(name, "json" | "sarif")
        };
        assert!(!text.contains(bad), "{name}: {text}");
        assert!(!text.lines().any(|it| it.starts_with("::")), "{name}: {text}");
    }
}

#[test]
fn spans_of_other_sources_are_no_panic() {
    let (mut report, sources) = report();
    report.notes.clear();
    report.findings.iter_mut().for_each(|it| it.span = Some(stray()));
    all(&report, &sources);
}

#[test]
fn forms_are_what_their_readers_take() {
    for (report, sources) in [report(), nothing()] {
        valid::junit(&drift_junit(&report, &sources));
        valid::json_schema(
            "tests/schemas/sarif-2.1.0.json",
            &drift_sarif(&report, &sources, "1.2.3"),
        );
        valid::json_schema("docs/schemas/drift-v1.schema.json", &drift_json(&report, &sources));
        let series = valid::prometheus(&drift_prometheus(&report));
        let findings = series.iter().filter(|it| it.0.0 == "plumb_drift_findings");
        assert_eq!(findings.map(|it| *it.1 as usize).sum::<usize>(), report.findings.len());
    }
}

#[test]
fn a_schema_refuses_a_secret() {
    let (report, sources) = report();
    let json = drift_json(&report, &sources);
    let leaked = json.replace("\"sensitive\": true", "\"sensitive\": true, \"after\": \"x\"");
    assert_ne!(json, leaked);
    let checked = std::panic::catch_unwind(|| {
        valid::json_schema("docs/schemas/drift-v1.schema.json", &leaked);
    });
    assert!(checked.is_err());
}

#[test]
fn what_was_seen_before_is_read_back() {
    let (report, sources) = report();
    let previous = read_previous(&drift_json(&report, &sources)).expect("it is ours");
    assert_eq!(previous, report.first_seen());
    assert_eq!(previous.0.len(), 11);
    for (wrong, why) in [
        ("", "no JSON"),
        ("[]", "no format_version"),
        ("{\"format_version\":\"2.0\"}", "not known"),
        ("{\"format_version\":\"1.0\"}", "no findings"),
        ("{\"format_version\":\"1.0\",\"findings\":[1]}", "Finding 0"),
    ] {
        let error = read_previous(wrong).expect_err(wrong);
        assert!(error.contains(why), "{error}");
    }
    let later = "{\"format_version\":\"1.9\",\"findings\":[{\"class\":\"newer\"}]}";
    assert!(read_previous(later).expect("it is of ours").0.is_empty());
}

#[test]
fn one_finding_by_itself_is_what_the_report_says_of_it() {
    let (report, sources) = report();
    let parsed = |it: &str| -> serde_json::Value { serde_json::from_str(it).expect("JSON") };
    let whole = parsed(&drift_json(&report, &sources));
    let alone: Vec<_> =
        report.findings.iter().map(|it| parsed(&finding_json(it, &sources))).collect();
    assert_eq!(whole["findings"].as_array(), Some(&alone));
    assert!(alone.iter().any(|it| it["location"]["line"].is_u64()));
    for (finding, alone) in report.findings.iter().zip(&alone) {
        let moved: Vec<_> = finding.attributes.iter().map(|it| parsed(&moved_json(it))).collect();
        assert_eq!(alone["attributes"].as_array(), Some(&moved));
        let elsewhere = parsed(&finding_json(finding, &plumb_diag::Sources::default()));
        assert!(elsewhere["location"].is_null() && elsewhere["repair"] == alone["repair"]);
    }
}

#[test]
fn scanners_see_the_same_result_as_the_same() {
    let (mut report, sources) = report();
    let prints = |report: &DriftReport| -> Vec<String> {
        let json: serde_json::Value =
            serde_json::from_str(&drift_sarif(report, &sources, "1")).expect("JSON");
        let results = json["runs"][0]["results"].as_array().expect("a list").clone();
        let print = |it: &serde_json::Value| it["partialFingerprints"]["plumb/v1"].to_string();
        results.iter().map(print).collect()
    };
    let before = prints(&report);
    let distinct: std::collections::BTreeSet<_> = before.iter().collect();
    assert_eq!(distinct.len(), before.len());
    report.findings.remove(0);
    report.findings[1].attributes.pop();
    assert_eq!(prints(&report), before[1..]);
}

#[test]
fn markdown_stays_within_its_bytes() {
    let (mut report, sources) = report();
    let one = report.findings[2].clone();
    report.findings.extend((0..200).map(|_| one.clone()));
    for bytes_max in [0, 10, 300, 1000, 2000, 5000, 65_000] {
        let text = drift_markdown(&report, &sources, bytes_max);
        assert!(text.len() <= bytes_max, "{} > {bytes_max}", text.len());
        let lines = |word: &str| text.lines().filter(|it| it.starts_with(word)).count();
        let (opened, closed) = (lines("<details>"), lines("</details>"));
        assert_eq!(opened, closed, "{text}");
        if bytes_max >= 1000 {
            let rest = text.lines().find(|it| it.contains("not shown")).expect("it says so");
            let number = rest.trim_start_matches("> **").split(' ').next();
            let left: usize = number.and_then(|it| it.parse().ok()).expect("a number");
            let shown = opened
                + text.lines().filter(|it| it.starts_with("- ") && !it.starts_with("-  ")).count();
            let quiet = report.counts().quiet;
            let all = report.findings.len() - quiet + report.pending.len() + report.notes.len();
            assert_eq!(shown + left, all, "{text}");
        }
    }
}

#[test]
fn nothing_is_good_news() {
    let (report, sources) = nothing();
    expect![[r#"

        No drift. 1 object was looked at: 0 changed, 0 deleted, 0 foreign, 0 undeclared.
    "#]]
    .assert_eq(&drift_text(&report, &sources, Style::PLAIN));
    assert!(!report.findings.iter().any(|it| it.class == Class::Changed));
}

#[test]
fn text_for_people() {
    let (report, sources) = report();
    expect![[r#"

          # docker_container.web has changed
          # (main.tf line 2, id 4f2a, first seen 2026-11-02T04:10:00Z)
          ~ dns            = [
                "9.9.9.9",
              + "8.8.8.8",
            ]
          ~ labels["tier"] = "web" -> "db"
          ~ motd           = <<-EOT
                one
              - two
              + three
            EOT
          ~ password       = (sensitive value)
          + restart        = "always"
            An apply would set it back in place. docker_network.lab leans on it.

          # module.m["a b"].docker_network.lab has been deleted
          # (id 4f2a, first seen 2026-11-02T04:10:00Z)
            An apply would make it again. It had been accepted until 2026-01-31
            (until the move). Its configuration was changed as well since the last
            apply.

          # docker_container:x\"]]><script>|`@all`\n::error::\x1b[31m\u202e{{ a }}</details>\x01\\ stands there undeclared
          # (id 4f2a, first seen 2026-11-02T04:10:00Z)
            Nobody declared it, and it is attached to our network.

          # docker_container.web has changed where the configuration leaves it open
          # (main.tf line 2, id 4f2a, first seen 2026-11-02T04:10:00Z)
          - log_opts = <<-EOT
                x"]]><script>|`@all`
                ::error::\x1b[31m\u202e{{ a }}</details>\x01\
            EOT -> null
            An apply would make it again.

        Not counted:
          - docker_container.db[0] has changed (memory): accepted until 2026-12-31: x\"]]><script>|`@all`\n::error::\x1b[31m\u202e{{ a }}</details>\x01\\
          - docker_container:ci-17 stands there undeclared: ignored in this run on request

        1 object has changed in a way that nothing declared depends on.

        Asked for by the configuration, without any drift:
          - docker_image.base will be created
          - docker_container.web must be replaced

        Drift: 1 changed, 1 deleted, 1 foreign, 1 undeclared (2 accepted, 1 of no concern, 2 pending).

        ─────────────────────────────────────────────────────────────────────────────

        To set it back as declared:    plumb apply -drift-only
        To take in what is foreign:    write a resource and an import block
        Where the configuration moved: plumb plan
        To live with it for a time:    plumb drift -accept ADDRESS
    "#]].assert_eq(&drift_text(&report, &sources, Style::PLAIN));
}

#[test]
fn markdown_for_comments() {
    let (report, sources) = report();
    expect![[r####"
        ### Drift: 1 changed, 1 deleted, 1 foreign, 1 undeclared (2 accepted, 1 of no concern, 2 pending)

        Workspace <code>prod</code>, serial 7: looked at 9 objects at 2026-11-05T12&#58;00&#58;00Z.

        | Class | Findings |
        |---|---|
        | changed | 1 |
        | deleted | 1 |
        | foreign | 1 |
        | undeclared | 1 |

        <details><summary><code>docker&#95;container.web</code> has changed</summary>

        An apply would set it back in place. docker\_network.lab leans on it.

        ```diff
        !   dns            = [
                "9.9.9.9",
        +       "8.8.8.8",
            ]
        !   labels["tier"] = "web" -> "db"
        !   motd           = <<-EOT
                one
        -       two
        +       three
            EOT
        !   password       = (sensitive value)
        +   restart        = "always"
        ```

        <sub>declared at <code>main.tf&#58;2</code> · id <code>4f2a</code> · first seen 2026-11-02T04&#58;10&#58;00Z · an apply would update it</sub>

        </details>

        <details><summary><code>module.m&#91;&#34;a b&#34;&#93;.docker&#95;network.lab</code> has been deleted</summary>

        An apply would make it again. It had been accepted until 2026-01-31 \(until the move\). Its configuration was changed as well since the last apply.

        <sub>id <code>4f2a</code> · first seen 2026-11-02T04&#58;10&#58;00Z · an apply would create it</sub>

        </details>

        <details><summary><code>docker&#95;container&#58;x&#92;&#34;&#93;&#93;&#62;&#60;script&#62;&#124;&#96;&#64;all&#96;&#92;n&#58;&#58;error&#58;&#58;&#92;x1b&#91;31m&#92;u202e&#123;&#123; a &#125;&#125;&#60;/details&#62;&#92;x01&#92;&#92;</code> stands there undeclared</summary>

        Nobody declared it, and it is attached to our network.

        <sub>id <code>4f2a</code> · first seen 2026-11-02T04&#58;10&#58;00Z</sub>

        </details>

        <details><summary><code>docker&#95;container.web</code> has changed where the configuration leaves it open</summary>

        An apply would make it again.

        ```diff
        -   log_opts = <<-EOT
                x"]]><script>|`@all`
                ::error::\x1b[31m\u202e{{ a }}</details>\x01\
            EOT -> null
        ```

        <sub>declared at <code>main.tf&#58;2</code> · id <code>4f2a</code> · first seen 2026-11-02T04&#58;10&#58;00Z</sub>

        </details>


        **Not counted**

        - <code>docker&#95;container.db&#91;0&#93;</code> has changed: accepted until 2026-12-31&#58; x\\"\]\]&gt;&lt;script&gt;&#124;\`&#64;all\`\\n&#58;&#58;error&#58;&#58;\\x1b\[31m\\u202e\{\{ a \}\}&lt;/details&gt;\\x01\\\\
        - <code>docker&#95;container&#58;ci-17</code> stands there undeclared: ignored in this run on request

        **Asked for by the configuration, without any drift**

        - <code>docker&#95;image.base</code> will be created
        - <code>docker&#95;container.web</code> must be replaced

        **Notes**

        - Accepted drift is not there. x\\"\]\]&gt;&lt;script&gt;&#124;\`&#64;all\`\\n&#58;&#58;error&#58;&#58;\\x1b\[31m\\u202e\{\{ a \}\}&lt;/details&gt;\\x01\\\\

        `plumb apply -drift-only` sets it back as declared.
    "####]].assert_eq(&drift_markdown(&report, &sources, 65_000));
}

#[test]
fn results_for_test_reports() {
    let (report, sources) = report();
    expect![[r#"
        <?xml version="1.0" encoding="UTF-8"?>
        <testsuites tests="8" failures="4" errors="0">
          <testsuite name="plumb drift" tests="8" failures="4" errors="0" skipped="3" timestamp="2026-11-05T12:00:00Z">
            <properties>
              <property name="workspace" value="prod"/>
              <property name="lineage" value="11111111-2222-3333-4444-555555555555"/>
              <property name="serial" value="7"/>
            </properties>
            <testcase classname="docker_container" name="docker_container.db[0] (changed)"><skipped message="accepted until 2026-12-31: x\&quot;]]&gt;&lt;script&gt;|`@all`\n::error::\x1b[31m\u202e{{ a }}&lt;/details&gt;\x01\\"/></testcase>
            <testcase classname="docker_container" name="docker_container.db[1] (changed)"><skipped message="the system sets it by itself, and nothing that is declared depends on it"/></testcase>
            <testcase classname="docker_container" name="docker_container.web (changed)"><failure type="changed" message="docker_container.web has changed">
        main.tf:2
          ~ dns            = [
                &quot;9.9.9.9&quot;,
              + &quot;8.8.8.8&quot;,
            ]
          ~ labels[&quot;tier&quot;] = &quot;web&quot; -&gt; &quot;db&quot;
          ~ motd           = &lt;&lt;-EOT
                one
              - two
              + three
            EOT
          ~ password       = (sensitive value)
          + restart        = &quot;always&quot;
        An apply would set it back in place. docker_network.lab leans on it.
        First seen 2026-11-02T04:10:00Z.
        </failure></testcase>
            <testcase classname="docker_network" name="module.m[&quot;a b&quot;].docker_network.lab (deleted)"><failure type="deleted" message="module.m[&quot;a b&quot;].docker_network.lab has been deleted">
        An apply would make it again. It had been accepted until 2026-01-31 (until the move). Its configuration was changed as well since the last apply.
        First seen 2026-11-02T04:10:00Z.
        </failure></testcase>
            <testcase classname="docker_container" name="docker_container:ci-17 (foreign)"><skipped message="ignored in this run on request"/></testcase>
            <testcase classname="docker_container" name="docker_container:x&quot;]]&gt;&lt;script&gt;|`@all`&#10;::error::\x1b[31m\u202e{{ a }}&lt;/details&gt;\x01\ (foreign)"><failure type="foreign" message="docker_container:x\&quot;]]&gt;&lt;script&gt;|`@all`\n::error::\x1b[31m\u202e{{ a }}&lt;/details&gt;\x01\\ stands there undeclared">
        Nobody declared it, and it is attached to our network.
        First seen 2026-11-02T04:10:00Z.
        </failure></testcase>
            <testcase classname="docker_container" name="docker_container.web (undeclared)"><failure type="undeclared" message="docker_container.web has changed where the configuration leaves it open">
        main.tf:2
          - log_opts = &lt;&lt;-EOT
                x&quot;]]&gt;&lt;script&gt;|`@all`
                ::error::\x1b[31m\u202e{{ a }}&lt;/details&gt;\x01\
            EOT -&gt; null
        An apply would make it again.
        First seen 2026-11-02T04:10:00Z.
        </failure></testcase>
            <testcase classname="unmoved" name="the 5 other objects"/>
          </testsuite>
        </testsuites>
    "#]].assert_eq(&drift_junit(&report, &sources));
}

#[test]
fn metrics() {
    let (report, _) = report();
    let text = drift_prometheus(&report);
    let told: Vec<&str> =
        text.lines().filter(|it| !it.starts_with('#') && !it.ends_with(" 0")).collect();
    expect![[r#"
        plumb_drift_findings{workspace="prod",class="changed",standing="counts"} 1
        plumb_drift_findings{workspace="prod",class="changed",standing="accepted"} 1
        plumb_drift_findings{workspace="prod",class="changed",standing="quiet"} 1
        plumb_drift_findings{workspace="prod",class="deleted",standing="expired"} 1
        plumb_drift_findings{workspace="prod",class="foreign",standing="counts"} 1
        plumb_drift_findings{workspace="prod",class="foreign",standing="ignored"} 1
        plumb_drift_findings{workspace="prod",class="undeclared",standing="counts"} 1
        plumb_drift_detected{workspace="prod"} 1
        plumb_drift_resource{workspace="prod",address="docker_container.db[0]",class="changed",standing="accepted"} 1
        plumb_drift_resource{workspace="prod",address="docker_container.db[1]",class="changed",standing="quiet"} 1
        plumb_drift_resource{workspace="prod",address="docker_container.web",class="changed",standing="counts"} 5
        plumb_drift_resource{workspace="prod",address="docker_container.web",class="undeclared",standing="counts"} 1
        plumb_drift_resource{workspace="prod",address="docker_container:ci-17",class="foreign",standing="ignored"} 1
        plumb_drift_resource{workspace="prod",address="docker_container:x\\\"]]><script>|`@all`\\n::error::\\x1b[31m\\u202e{{ a }}</details>\\x01\\\\",class="foreign",standing="counts"} 1
        plumb_drift_resource{workspace="prod",address="module.m[\"a b\"].docker_network.lab",class="deleted",standing="expired"} 1
        plumb_drift_looked_objects{workspace="prod"} 9
        plumb_drift_pending_changes{workspace="prod"} 2
        plumb_drift_state_serial{workspace="prod"} 7
        plumb_drift_last_look_timestamp_seconds{workspace="prod"} 1793880000
        plumb_drift_oldest_finding_timestamp_seconds{workspace="prod"} 1793592600
    "#]].assert_eq(&(told.join("\n") + "\n"));
}
