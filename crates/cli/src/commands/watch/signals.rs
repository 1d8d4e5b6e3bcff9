//! What people and managers want of the process.

use plumb_diag::{Diagnostic, Diagnostics};
use tokio::signal::unix::{Signal, SignalKind, signal};

/// One wish.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wish {
    /// SIGTERM, SIGINT
    End,
    /// SIGHUP
    Reload,
}

/// Hears them.
pub(crate) struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
}

impl Signals {
    pub(crate) fn new() -> Result<Signals, Diagnostics> {
        let hear = |kind| {
            signal(kind).map_err(|error| {
                let detail = format!("{error}.");
                vec![Diagnostic::error("Cannot listen to signals", detail)]
            })
        };
        Ok(Signals {
            terminate: hear(SignalKind::terminate())?,
            interrupt: hear(SignalKind::interrupt())?,
            hangup: hear(SignalKind::hangup())?,
        })
    }

    /// The next one.
    pub(crate) async fn next(&mut self) -> Wish {
        tokio::select! {
            _ = self.terminate.recv() => Wish::End,
            _ = self.interrupt.recv() => Wish::End,
            _ = self.hangup.recv() => Wish::Reload,
        }
    }
}
