//! What can happen to a run, and what is promised then.

use crate::tool::Backend;

/// One thing that happens at a random instant of an apply.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum)]
pub enum Scenario {
    /// SIGKILL.
    Sigkill,
    /// SIGKILL, and again while the next apply recovers.
    SigkillAgain,
    /// SIGKILL of a destroy.
    SigkillDestroy,
    /// SIGINT to the process group, as a terminal sends it.
    Sigint,
    /// SIGTERM.
    Sigterm,
    /// SIGINT, 7.5 s later SIGTERM, 2.5 s later SIGKILL, as CI systems cancel a job. The world is so
    /// slow meanwhile that all three come.
    CiCancel,
    /// SIGSTOP; another apply; SIGCONT.
    Stop,
    /// SIGSTOP; the lock is broken; another apply; SIGCONT.
    StopUnlock,
    /// The same with a run for which processes have other numbers, as on another machine.
    StopUnlockFar,
    /// The database ends the session that holds the lock.
    SessionEnded,
    /// The disk is full, and later has room again.
    Enospc,
    /// Every write, sync and rename of the state's files fails with EIO from an instant on.
    Eio,
    /// The machine loses what was not synced.
    PowerCut,
    /// One request in fifty fails: by a 500 without effect, or by a cut line after the effect.
    Hiccups,
    /// SIGKILL, then the state file is edited by hand: other text, same serial.
    Edited,
    /// SIGKILL, then another program writes the state: serial grown.
    Serial,
    /// SIGKILL, then the state file is replaced by one of another lineage.
    Lineage,
    /// SIGKILL, then the state file is put back from its backup.
    Restored,
    /// SIGKILL, then the state file loses its second half.
    Truncated,
    /// SIGKILL, then the state file is empty.
    Emptied,
    /// The folder cannot be written to.
    ReadOnly,
}

/// What is promised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Promise {
    /// The next apply goes through: nothing lost, nothing twice.
    Recovers,
    /// The next apply refuses, says what to do, touches nothing; once that is done it goes through.
    Refuses,
}

impl Scenario {
    /// All, in the order of the table.
    pub const ALL: [Scenario; 21] = [
        Scenario::Sigkill,
        Scenario::SigkillAgain,
        Scenario::SigkillDestroy,
        Scenario::Sigint,
        Scenario::Sigterm,
        Scenario::CiCancel,
        Scenario::Stop,
        Scenario::StopUnlock,
        Scenario::StopUnlockFar,
        Scenario::SessionEnded,
        Scenario::Enospc,
        Scenario::Eio,
        Scenario::PowerCut,
        Scenario::Hiccups,
        Scenario::Edited,
        Scenario::Serial,
        Scenario::Lineage,
        Scenario::Restored,
        Scenario::Truncated,
        Scenario::Emptied,
        Scenario::ReadOnly,
    ];

    /// Its name on the command line and in the table.
    pub fn name(self) -> &'static str {
        match self {
            Scenario::Sigkill => "sigkill",
            Scenario::SigkillAgain => "sigkill-again",
            Scenario::SigkillDestroy => "sigkill-destroy",
            Scenario::Sigint => "sigint",
            Scenario::Sigterm => "sigterm",
            Scenario::CiCancel => "ci-cancel",
            Scenario::Stop => "stop",
            Scenario::StopUnlock => "stop-unlock",
            Scenario::StopUnlockFar => "stop-unlock-far",
            Scenario::SessionEnded => "session-ended",
            Scenario::Enospc => "enospc",
            Scenario::Eio => "eio",
            Scenario::PowerCut => "power-cut",
            Scenario::Hiccups => "hiccups",
            Scenario::Edited => "edited",
            Scenario::Serial => "serial",
            Scenario::Lineage => "lineage",
            Scenario::Restored => "restored",
            Scenario::Truncated => "truncated",
            Scenario::Emptied => "emptied",
            Scenario::ReadOnly => "read-only",
        }
    }

    /// What is promised.
    pub fn promise(self) -> Promise {
        match self {
            Scenario::Stop
            | Scenario::StopUnlock
            | Scenario::StopUnlockFar
            | Scenario::Serial
            | Scenario::Lineage
            | Scenario::Restored
            | Scenario::Truncated
            | Scenario::Emptied
            | Scenario::ReadOnly => Promise::Refuses,
            Scenario::Sigkill
            | Scenario::SigkillAgain
            | Scenario::SigkillDestroy
            | Scenario::Sigint
            | Scenario::Sigterm
            | Scenario::CiCancel
            | Scenario::SessionEnded
            | Scenario::Enospc
            | Scenario::Eio
            | Scenario::PowerCut
            | Scenario::Hiccups
            | Scenario::Edited => Promise::Recovers,
        }
    }

    /// Whether it can happen to a state that is kept there: what happens to files happens to none of a
    /// database, and the other way round.
    pub fn befalls(self, backend: Backend) -> bool {
        match self {
            Scenario::Enospc
            | Scenario::Eio
            | Scenario::PowerCut
            | Scenario::Edited
            | Scenario::Serial
            | Scenario::Lineage
            | Scenario::Restored
            | Scenario::Truncated
            | Scenario::Emptied
            | Scenario::ReadOnly => backend == Backend::Local,
            Scenario::SessionEnded => backend == Backend::Pg,
            Scenario::Sigkill
            | Scenario::SigkillAgain
            | Scenario::SigkillDestroy
            | Scenario::Sigint
            | Scenario::Sigterm
            | Scenario::CiCancel
            | Scenario::Stop
            | Scenario::StopUnlock
            | Scenario::StopUnlockFar
            | Scenario::Hiccups => true,
        }
    }

    /// Whether it mounts file systems.
    pub fn needs_root(self) -> bool {
        matches!(self, Scenario::Enospc)
    }

    /// Whether it looks into system calls.
    pub fn needs_strace(self) -> bool {
        matches!(self, Scenario::Eio | Scenario::PowerCut)
    }

    /// Whether there must be a state from an earlier apply, and the run must have written something,
    /// for it to mean anything.
    pub fn needs_history(self) -> bool {
        matches!(
            self,
            Scenario::Edited
                | Scenario::Serial
                | Scenario::Lineage
                | Scenario::Restored
                | Scenario::Truncated
                | Scenario::Emptied
        )
    }
}
