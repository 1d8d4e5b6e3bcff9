//! What the pure middle asks of the edge, and what it is told.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::addr::{Addr, Kind, ObjectKey, ProviderAddr};
use crate::event::Remote;
use crate::state::Token;
use crate::value::Value;

/// Names a question: two equal keys ask for the same fact.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum QuestionKey {
    /// What is this object now? (refresh)
    Current(ObjectKey),
    /// Did this call, never heard back from, make anything?
    Made(Token),
    /// What does the data source at this address say, configured so?
    Data(Addr, Value),
    /// What is the object with this id, to be brought in at this address?
    Import(Addr, Arc<str>),
    /// Something about a file.
    File(FileQuestion),
    /// A provider's fact, such as the hash of a directory.
    Fact {
        /// Full source address of the provider.
        source: Arc<str>,
        /// Which fact.
        kind: Arc<str>,
        /// About what.
        query: Value,
    },
}

/// Something about a file. Paths are as the configuration gives them, relative to the working
/// directory.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FileQuestion {
    /// Its bytes.
    Content(Arc<str>),
    /// Whether there is such a file.
    Exists(Arc<str>),
    /// The files under `.0` that match the pattern `.1`, sorted.
    Set(Arc<str>, Arc<str>),
}

/// A question with all that is needed to answer it.
#[derive(Clone, Debug, PartialEq)]
pub struct Question {
    /// Its name.
    pub key: QuestionKey,
    /// Whom to ask; none for files.
    pub provider: Option<Arc<ProviderAddr>>,
    /// The resource type; empty for files and facts.
    pub kind: Kind,
    /// `Current`: the stored attributes. `Made`: the planned ones. `Data`: the configuration.
    /// Else null.
    pub subject: Value,
    /// `Current`: the provider's own notes.
    pub private: Option<Arc<[u8]>>,
}

/// What the edge says.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// To `Current`, `Made`, `Import`: it is there.
    Object(Remote),
    /// To `Current`, `Made`, `Import`: there is none.
    Gone,
    /// To `Data` and `Fact`.
    Value(Value),
    /// To `FileQuestion::Content`.
    Bytes(Arc<[u8]>),
    /// To `FileQuestion::Exists`.
    Bool(bool),
    /// To `FileQuestion::Set`.
    Names(Arc<[Arc<str>]>),
    /// It cannot be answered. What was asked for the sake of it fails with this.
    Failed {
        /// One line.
        summary: Arc<str>,
        /// Sentences.
        detail: Arc<str>,
    },
}

/// Everything seen so far.
pub type Observations = BTreeMap<QuestionKey, Answer>;
