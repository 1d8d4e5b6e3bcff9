//! What a person may want to see while the engine works.

use std::time::Duration;

use plumb_diag::Diagnostic;
use plumb_model::addr::ObjectKey;
use plumb_model::value::Value;
use plumb_provider::Progress;

/// Sees what happens. Called from several tasks; must not block.
pub trait Observer: Send + Sync {
    /// Something happened.
    fn notice(&self, notice: Notice<'_>);
}

/// One thing that happened.
#[derive(Debug)]
pub enum Notice<'a> {
    /// An object is looked at; with its id.
    RefreshStarted(&'a ObjectKey, &'a str),
    /// It was looked at.
    RefreshDone(&'a ObjectKey, &'a str),
    /// A data source is read.
    ReadStarted(&'a ObjectKey),
    /// It was read.
    ReadDone(&'a ObjectKey, Duration, &'a str),
    /// A call is made: `create`, `update` or `delete`; with the id, if there is one.
    Started(&'a ObjectKey, &'static str, Option<&'a str>),
    /// How far a call is.
    Progress(&'a ObjectKey, Progress),
    /// A call went well; with the id.
    Done(&'a ObjectKey, &'static str, Duration, Option<&'a str>),
    /// A call did not.
    Failed(&'a ObjectKey, &'static str, Duration, &'a Diagnostic),
    /// A call is made again after a failure that may pass.
    Retrying(&'a ObjectKey, u32, &'a str),
    /// A provisioner runs beside an object.
    Provisioner(&'a ObjectKey, Provisioning<'a>),
    /// Somebody wants the work to end.
    Interrupted(u8),
}

/// What a provisioner does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Provisioning<'a> {
    /// It begins.
    Started,
    /// It said this.
    Output(&'a str),
    /// It went well.
    Done,
    /// It did not.
    Failed,
}

/// Sees nothing.
pub struct Silent;

impl Observer for Silent {
    fn notice(&self, _: Notice<'_>) {}
}

/// The id in an object's attributes, for messages.
pub(crate) fn id_of(attrs: &Value) -> Option<&str> {
    attrs.get_attr("id").and_then(Value::as_str)
}
