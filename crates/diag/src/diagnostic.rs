//! What a person is told when something is wrong.

use crate::Span;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The command cannot do what was asked.
    Error,
    /// The command goes on; a person should look.
    Warning,
}

/// A second place that belongs to the story: the first of two duplicates, an edge of a cycle.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Related {
    /// Where.
    pub span: Span,
    /// What is to be seen there, a short phrase.
    pub message: String,
}

/// One thing to tell a person: what is wrong, where, and what would help.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// Error or warning.
    pub severity: Severity,
    /// One line without a full stop. Terraform's wording where Terraform has one, because people
    /// search for it.
    pub summary: String,
    /// Sentences that explain: what was expected, what was found, what to do.
    pub detail: String,
    /// The text at fault.
    pub span: Option<Span>,
    /// A larger construct around `span` worth showing, such as the header of the block.
    pub context: Option<Span>,
    /// Values of references in the text at fault, as `(reference, description)`:
    /// `("var.size", "is 3")`.
    pub values: Vec<(String, String)>,
    /// Other places to look at.
    pub related: Vec<Related>,
    /// A suggestion that can be acted on: `Did you mean "image"?`
    pub hint: Option<String>,
    /// The resource or module instance this is about.
    pub address: Option<String>,
}

/// Diagnostics in the order in which they were found.
pub type Diagnostics = Vec<Diagnostic>;

impl Diagnostic {
    /// An error without a place.
    pub fn error(summary: impl Into<String>, detail: impl Into<String>) -> Diagnostic {
        Diagnostic {
            severity: Severity::Error,
            summary: summary.into(),
            detail: detail.into(),
            span: None,
            context: None,
            values: Vec::new(),
            related: Vec::new(),
            hint: None,
            address: None,
        }
    }

    /// A warning without a place.
    pub fn warning(summary: impl Into<String>, detail: impl Into<String>) -> Diagnostic {
        Diagnostic { severity: Severity::Warning, ..Diagnostic::error(summary, detail) }
    }

    /// The same, pointing at `span`.
    #[must_use]
    pub fn at(self, span: Span) -> Diagnostic {
        Diagnostic { span: Some(span), ..self }
    }

    /// The same, inside the larger construct `span`.
    #[must_use]
    pub fn within(self, span: Span) -> Diagnostic {
        Diagnostic { context: Some(span), ..self }
    }

    /// The same with a suggestion.
    #[must_use]
    pub fn hint(self, hint: impl Into<String>) -> Diagnostic {
        Diagnostic { hint: Some(hint.into()), ..self }
    }

    /// The same, about the instance at `address`.
    #[must_use]
    pub fn about(self, address: impl Into<String>) -> Diagnostic {
        Diagnostic { address: Some(address.into()), ..self }
    }

    /// The same with one more place to look at.
    #[must_use]
    pub fn related(mut self, span: Span, message: impl Into<String>) -> Diagnostic {
        self.related.push(Related { span, message: message.into() });
        self
    }

    /// Whether this is an error.
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }
}
