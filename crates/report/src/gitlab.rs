//! What GitLab shows of a plan in a merge request: its `terraform` report.

use plumb_model::plan::Plan;

use crate::plan_text::Counts;

/// The three numbers that GitLab reads. A replacement is a creation and a deletion.
pub fn gitlab_report(plan: &Plan) -> String {
    let Counts { add, change, remove, .. } = Counts::of(plan);
    format!("{{\"create\":{add},\"update\":{change},\"delete\":{remove}}}\n")
}
