//! What is said of an apply that has ended: what it left undone, and why.

use plumb_diag::Diagnostic;
use plumb_engine::Applied;

/// What is said after an apply with `-target`, or one that only repaired drift.
pub(super) fn incomplete(drift_only: bool) -> Diagnostic {
    if drift_only {
        return Diagnostic::warning(
            "Changes of the configuration are still to be applied",
            "The plan was created with -drift-only, and the configuration asks for changes of its \
             own. To see them run:\n    plumb plan",
        );
    }
    Diagnostic::warning(
        "Applied changes may be incomplete",
        "The plan was created with the -target option in effect, so some changes requested in the \
         configuration may have been ignored and the output values may not be fully updated. Run \
         the following command to verify that no other changes are pending:\n    plumb plan\n\n\
         Note that the -target option is not suitable for routine use, and is provided only for \
         exceptional situations such as recovering from errors or mistakes, or when plumb \
         specifically suggests to use it as part of an error message.",
    )
}

/// What was left undone because something before it failed.
pub(super) fn skipped(applied: &Applied) -> String {
    if applied.skipped.is_empty() {
        return String::new();
    }
    let names: Vec<String> = applied.skipped.iter().map(|it| format!("  - {it}")).collect();
    format!("\nNot done, because something before it failed:\n{}", shortened(names))
}

/// What an interrupt left undone.
pub(super) fn remains(applied: &Applied) -> String {
    let mut text = String::from("\nInterrupted. The state is saved and the lock is released.");
    let left: Vec<String> =
        applied.remaining.iter().chain(&applied.skipped).map(|it| format!("  - {it}")).collect();
    if left.is_empty() && applied.in_doubt == 0 {
        text += " Nothing remains to be done.";
    }
    if !left.is_empty() {
        text += &format!(
            " {} not begun:\n{}",
            of(left.len(), "operation was", "operations were"),
            shortened(left)
        );
    }
    if applied.in_doubt > 0 {
        text += &format!(
            "\n{} not waited for; the next run looks into what became of it.",
            of(applied.in_doubt, "operation was", "operations were")
        );
    }
    text
}

fn of(count: usize, one: &str, many: &str) -> String {
    if count == 1 { format!("1 {one}") } else { format!("{count} {many}") }
}

fn shortened(mut names: Vec<String>) -> String {
    let count = names.len();
    if count > 20 {
        names.truncate(20);
        names.push(format!("  … and {} more", count - 20));
    }
    names.join("\n")
}
