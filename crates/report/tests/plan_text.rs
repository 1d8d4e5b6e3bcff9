//! Plans that Terraform made of the same configuration, shown by us and by it.

mod common;

use common::{golden, read_plan, schemas};
use plumb_report::{PlanMode, PlanText, Style, plan_text};

/// What Terraform says of the plan, with our name in it.
fn theirs(name: &str) -> String {
    let text = golden(&format!("{name}/show.txt"));
    let words = [
        (
            "Terraform used the selected providers to generate the following execution\nplan. Resource",
            "Plumb used the selected providers to generate the following execution plan.\nResource",
        ),
        (
            "Terraform has compared your real infrastructure against your configuration\nand found no",
            "Plumb has compared your real infrastructure against your configuration and\nfound no",
        ),
        (
            "Terraform has checked that the real remote objects still match the result of\nyour most",
            "Plumb has checked that the real remote objects still match the result of your\nmost",
        ),
        ("values to the Terraform\nstate, ", "values to the Plumb state,\n"),
        ("Terraform", "Plumb"),
        // An empty string is not null.
        ("output = null -> (known after apply)", "output = \"\" -> (known after apply)"),
        // Terraform says nothing of them here.
        (
            "5 to destroy.\n\nChanges to Outputs:\n  ~ num",
            "5 to destroy, 1 to forget.\n\nChanges to Outputs:\n  ~ num",
        ),
    ];
    words.iter().fold(text, |text, (from, to)| text.replace(from, to))
}

fn ours(name: &str, mode: PlanMode, style: Style) -> String {
    let plan = read_plan(&golden(&format!("{name}/plan.json")));
    plan_text(PlanText { plan: &plan, schemas: &schemas(), mode, relevant: None, style })
}

/// Both texts are equal but for `# forces replacement`, which Terraform leaves out behind
/// attributes of any type, and for what of the message is folded elsewhere.
fn check(name: &str, mode: PlanMode) {
    let ours = ours(name, mode, Style::PLAIN).replace(" # forces replacement", "");
    let theirs = theirs(name);
    for (number, (ours, theirs)) in ours.lines().zip(theirs.lines()).enumerate() {
        assert_eq!(ours, theirs, "{name}, line {}", number + 1);
    }
    assert_eq!(ours, theirs, "{name}");
}

#[test]
fn creates_updates_replacements_moves_and_deletions() {
    check("a", PlanMode::Normal);
}

#[test]
fn lists_nulls_json_sensitivity_imports_and_forgotten_objects() {
    check("b", PlanMode::Normal);
}

#[test]
fn nothing_to_do() {
    check("nochange", PlanMode::Normal);
    check("ronly", PlanMode::RefreshOnly);
}

#[test]
fn outputs_alone() {
    check("outs", PlanMode::Normal);
    check("ronlyo", PlanMode::RefreshOnly);
}

#[test]
fn destruction() {
    check("destroy", PlanMode::Destroy);
}

#[test]
fn every_replacement_names_what_forces_it() {
    let text = ours("b", PlanMode::Normal, Style::PLAIN);
    let forced: Vec<&str> =
        text.lines().filter(|it| it.contains("# forces replacement")).map(str::trim).collect();
    assert_eq!(
        forced,
        [
            "~ triggers_replace = \"x\" -> \"y\" # forces replacement",
            "~ triggers_replace = { # forces replacement",
            "~ triggers_replace = <<-EOT # forces replacement",
        ]
    );
}

#[test]
fn colours_add_nothing_but_escape_codes() {
    let plain = ours("a", PlanMode::Normal, Style::PLAIN);
    let coloured = ours("a", PlanMode::Normal, Style::COLOUR);
    let mut stripped = String::new();
    for part in coloured.split('\u{1b}') {
        stripped +=
            if stripped.is_empty() { part } else { part.split_once('m').expect("a code").1 };
    }
    assert_ne!(plain, coloured);
    assert_eq!(plain, stripped);
}
