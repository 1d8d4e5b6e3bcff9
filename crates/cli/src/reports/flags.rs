//! The options for reports.

use clap::Args;

use crate::args::Verb;

/// Where a report goes: standard output, or a file.
const TO: &str = "FILE";

/// What can be said of diagnostics alone.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct DiagnosticReportFlags {
    /// Write the errors and warnings as SARIF 2.1.0, to standard output or to a file
    #[arg(long, value_name = TO, num_args = 0..=1, require_equals = true, default_missing_value = "-")]
    pub(crate) sarif: Option<String>,
    /// Tell a runner of GitHub Actions, Forgejo or Gitea: annotations, the summary and the outputs of the step. On by itself inside such a runner (-github=false)
    #[arg(long, value_name = "BOOL")]
    pub(crate) github: Option<bool>,
}

/// What can be said of plans.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct ReportFlags {
    /// Write the plan as Markdown for a comment, to standard output or to a file
    #[arg(long, value_name = TO, num_args = 0..=1, require_equals = true, default_missing_value = "-")]
    pub(crate) markdown: Option<String>,
    /// How long that Markdown may be, in bytes: 60000 unless said otherwise, which a comment on GitHub takes
    #[arg(long, value_name = "N")]
    pub(crate) markdown_bytes: Option<usize>,
    /// Write what -json prints to a file, beside what people read
    #[arg(long, value_name = TO)]
    pub(crate) json_into: Option<String>,
    /// Write the numbers of the plan for GitLab's "terraform" report
    #[arg(long, value_name = TO)]
    pub(crate) gitlab_report: Option<String>,
    /// Write what checks and conditions said as JUnit XML, to standard output or to a file
    #[arg(long, value_name = TO, num_args = 0..=1, require_equals = true, default_missing_value = "-")]
    pub(crate) junit_xml: Option<String>,
    #[command(flatten)]
    pub(crate) diagnostics: DiagnosticReportFlags,
}

impl ReportFlags {
    /// How long a comment may be.
    pub(crate) fn comment_bytes_max(&self) -> usize {
        self.markdown_bytes.unwrap_or(super::COMMENT_BYTES_MAX)
    }

    /// Whether a report is asked for.
    pub(crate) fn any(&self) -> bool {
        let options =
            [&self.markdown, &self.gitlab_report, &self.junit_xml, &self.diagnostics.sarif];
        options.iter().any(|it| it.is_some())
    }

    /// The reports that go to standard output.
    pub(crate) fn to_stdout(&self) -> usize {
        let options =
            [&self.markdown, &self.gitlab_report, &self.junit_xml, &self.diagnostics.sarif];
        options.iter().filter(|it| it.as_deref() == Some("-")).count()
    }
}

/// The options of a verb; none if pipelines have no interest in it.
pub(crate) fn of(verb: &Verb) -> Option<ReportFlags> {
    let diagnostics = |it: &DiagnosticReportFlags| {
        let diagnostics = it.clone();
        ReportFlags { diagnostics, ..ReportFlags::default() }
    };
    match verb {
        Verb::Plan(it) => Some(it.reports.clone()),
        Verb::Apply(it) | Verb::Destroy(it) | Verb::Refresh(it) => Some(it.reports.clone()),
        Verb::Validate(it) => Some(diagnostics(&it.reports)),
        // It writes its reports itself, but does not know runners.
        Verb::Drift(it) => {
            Some(diagnostics(&DiagnosticReportFlags { sarif: None, github: it.github }))
        }
        _ => None,
    }
}
