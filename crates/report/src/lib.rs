//! Plans, runs, states and diagnostics as text and JSON, in the shape that Terraform gives them.
//!
//! Everything here is a pure function from data to text: it does not know how a plan was made, nor
//! whether it is written to a terminal. Colours, width and frames are asked for with a [`Style`].

mod action;
mod checks_junit;
mod diagnostic;
mod diff;
mod drift;
mod escape;
mod github;
mod gitlab;
mod html;
mod json;
mod junit;
mod markdown;
mod place;
mod plan_json;
mod plan_markdown;
mod plan_text;
mod quote;
mod rollback;
mod sarif;
mod schema_json;
mod state_diff;
mod state_json;
mod state_text;
mod style;
mod type_text;
mod ui;
mod unified;

pub use checks_junit::checks_junit;
pub use diagnostic::json::{diagnostic_line, validate_json};
pub use diagnostic::sarif::sarif_diagnostics;
pub use diagnostic::text::{
    diagnostic_text, diagnostics_text, diagnostics_text_compact, split_warnings,
};
pub use drift::{
    drift_annotations, drift_json, drift_junit, drift_markdown, drift_prometheus, drift_sarif,
    drift_text, finding_json, moved_json, read_previous,
};
pub use github::{annotations, step_output};
pub use gitlab::gitlab_report;
pub use html::{
    HtmlDelta, HtmlFinding, HtmlHistory, HtmlPlan, HtmlReport, html_findings, html_report,
};
pub use json::indent_json;
pub use plan_json::{PlanJson, write_plan_json};
pub use plan_markdown::{PlanMarkdown, plan_markdown, problems_markdown};
pub use plan_text::{
    Counts, PlanMode, PlanText, forgotten_warning, plan_text, saved_text, summary_line,
};
pub use rollback::{rollback_lines, rollback_summary, rollback_text};
pub use schema_json::schemas_json;
pub use state_diff::{Named, StateDiff, state_diff_json, state_diff_text};
pub use state_json::{output_json, outputs_json, write_state_json};
pub use state_text::{object_text, output_text, outputs_text, state_text, value_text};
pub use style::Style;
pub use type_text::type_text;
pub use ui::{
    Doing, Moment, Operation, Provision, complete_text, outputs_line, plan_lines,
    planned_outputs_line, progress_line, progress_text, provision_line, provision_text,
    refresh_line, refresh_text, seconds, summary_json_line, version_line,
};
pub use unified::unified_diff;
