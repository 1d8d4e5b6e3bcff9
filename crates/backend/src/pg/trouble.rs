//! What goes wrong on a connection, in words without secrets: what a server quotes of a row may be
//! what a state keeps secret, so its details are left out.

use std::error::Error;

use plumb_state::StoreError;
use tokio_postgres::error::Severity;

/// Something went wrong.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Trouble {
    /// The connection is gone. Nobody knows what became of what was sent last.
    #[error("{0}")]
    Lost(String),
    /// The server refused a statement: nothing of it happened.
    #[error("{text}")]
    Sql {
        /// SQLSTATE.
        code: String,
        text: String,
    },
    /// The lock is no longer ours.
    #[error("{0}")]
    Fenced(String),
    /// What is there is not what it must be.
    #[error("{0}")]
    Odd(String),
    /// A person must do something first.
    #[error("{summary}")]
    Refused { summary: String, detail: String },
}

impl From<tokio_postgres::Error> for Trouble {
    fn from(error: tokio_postgres::Error) -> Trouble {
        if let Some(said) = error.as_db_error() {
            let text = format!("{}: {}", said.severity(), said.message());
            return match said.parsed_severity() {
                Some(Severity::Fatal | Severity::Panic) => Trouble::Lost(text),
                _ => Trouble::Sql { code: said.code().code().into(), text },
            };
        }
        let mut text = error.to_string();
        let mut cause: Option<&(dyn Error + 'static)> = error.source();
        while let Some(error) = cause {
            let said = error.to_string();
            if !text.ends_with(&said) {
                text = format!("{text}: {said}");
            }
            cause = error.source();
        }
        Trouble::Lost(text)
    }
}

impl Trouble {
    /// For who asked to do `what` to the state called `name`.
    pub(crate) fn told(self, what: &'static str, name: &str) -> StoreError {
        match self {
            Trouble::Fenced(detail) => StoreError::Fenced { name: name.into(), detail },
            Trouble::Refused { summary, detail } => StoreError::Refused { summary, detail },
            Trouble::Lost(_) | Trouble::Sql { .. } | Trouble::Odd(_) => {
                StoreError::Remote { what, name: name.into(), source: Box::new(self) }
            }
        }
    }
}
