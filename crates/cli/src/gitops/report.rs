//! What people and forges are told of each step.

use plumb_gitops::{Comment, Counts, Decision, Details, Reason};

use super::forge::Light;

/// What there is to tell of a commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Telling {
    pub(super) light: Light,
    /// One line.
    pub(super) title: String,
    /// More lines, in Markdown.
    pub(super) text: String,
    /// What a closed part is called, and what is in it.
    pub(super) details: Option<(&'static str, String)>,
    /// The plan in Markdown, instead of a closed part.
    pub(super) plan: Option<String>,
    /// Whether the comment is worth an update, too.
    pub(super) comment: bool,
}

impl Telling {
    pub(super) fn new(light: Light, title: impl Into<String>) -> Telling {
        let (title, text) = (title.into(), String::new());
        Telling { light, title, text, details: None, plan: None, comment: true }
    }

    /// Only the status.
    pub(super) fn brief(light: Light, title: impl Into<String>) -> Telling {
        Telling { comment: false, ..Telling::new(light, title) }
    }

    pub(super) fn text(mut self, text: impl Into<String>) -> Telling {
        self.text = text.into();
        self
    }

    pub(super) fn details(mut self, name: &'static str, text: &str) -> Telling {
        self.details = Some((name, text.to_owned()));
        self
    }

    pub(super) fn plan(mut self, markdown: &str) -> Telling {
        self.plan = Some(markdown.to_owned());
        self
    }

    pub(super) fn comment<'a>(&'a self, context: &'a str) -> Option<Comment<'a>> {
        self.comment.then(|| Comment {
            context,
            title: &self.title,
            text: &self.text,
            details: match (&self.plan, &self.details) {
                (Some(markdown), _) => Details::Markdown(markdown),
                (None, Some((name, text))) => Details::Text(name, text),
                (None, None) => Details::None,
            },
        })
    }

    /// Equal for what need not be told twice.
    pub(super) fn key(&self) -> String {
        format!("{:?} {} {}", self.light, self.title, self.text)
    }
}

/// Who it is from.
pub(super) struct Origin<'a> {
    pub(super) commit: &'a str,
    pub(super) signed_by: Option<&'a str>,
}

impl Origin<'_> {
    fn lines(&self) -> String {
        let signed = self.signed_by.map(|it| format!(", signed by {it}")).unwrap_or_default();
        format!("Commit `{}`{signed}.\n", self.commit)
    }
}

/// Of a decision about a plan.
pub(super) fn of_decision(
    decision: &Decision,
    counts: Counts,
    digest: &str,
    origin: &Origin<'_>,
) -> Telling {
    let list =
        |reasons: &[Reason]| reasons.iter().map(|it| format!("- {it}\n")).collect::<String>();
    let first = |reasons: &[Reason]| reasons.first().map(Reason::to_string).unwrap_or_default();
    let plan = format!("Plan `{digest}`: {counts}.\n");
    match decision {
        Decision::Nothing => {
            Telling::new(Light::Success, "Nothing to do: all is as the configuration says")
                .text(origin.lines())
        }
        Decision::Apply { .. } | Decision::Repair { .. } => {
            Telling::brief(Light::Pending, format!("Being applied: {counts}"))
        }
        Decision::Wait(reasons) => {
            let mut text = format!("{}{plan}\nWhy it waits:\n\n{}", origin.lines(), list(reasons));
            let approval = reasons.iter().any(|it| {
                matches!(
                    it,
                    Reason::Unapproved { .. }
                        | Reason::StaleApproval { .. }
                        | Reason::BadApproval { .. }
                )
            });
            if approval {
                let (commit, short) =
                    (origin.commit, &origin.commit[..origin.commit.len().min(12)]);
                text += &format!(
                    "\nTo approve exactly this plan:\n\n```\ngit tag -s plumb-approve/{short} -m \
                     'plan: {digest}' {commit}\ngit push origin plumb-approve/{short}\n```\n"
                );
            }
            Telling::new(Light::Pending, format!("Waits: {}", first(reasons))).text(text)
        }
        Decision::Refuse(reasons) => Telling::new(
            Light::Failure,
            format!("Refused: {}", first(reasons)),
        )
        .text(format!("{}{plan}\nWhy it is refused:\n\n{}", origin.lines(), list(reasons))),
    }
}

/// Of an apply that went well.
pub(super) fn of_applied(
    decision: &Decision,
    counts: Counts,
    serial: u64,
    digest: &str,
    origin: &Origin<'_>,
) -> Telling {
    let mut text = format!("{}Plan `{digest}`, state serial {serial}.\n", origin.lines());
    match decision {
        Decision::Apply { approved_by: Some(by) } => text += &format!("Approved by {by}.\n"),
        Decision::Repair { rest: Some(rest) } => text += &format!("What is left: {rest}.\n"),
        _ => {}
    }
    let title = match decision {
        Decision::Repair { .. } => "Drift is repaired".to_owned(),
        _ => format!("Applied: {counts}"),
    };
    Telling::new(Light::Success, title).text(text)
}
