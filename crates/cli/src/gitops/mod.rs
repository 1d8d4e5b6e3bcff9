//! `gitops`: follows a git repository. `plumb_gitops` decides; here is what it needs to know, and
//! what comes of it.

mod act;
pub(crate) mod args;
mod checkout;
mod child;
mod config;
mod forge;
mod git;
mod hcl;
mod record;
mod report;
mod runs;
mod secrets;
mod signed;
mod sshsig;

use std::fs;
use std::path::Path;

use plumb_diag::{Diagnostic, Diagnostics};
use plumb_gitops::{Loop, Next, Verdict};

use self::act::Actor;
use self::args::GitopsArgs;
use self::record::Record;
use crate::context::Context;
use crate::planning;

/// Follows a repository until it is told to stop, or once.
pub(crate) async fn gitops(context: &Context, args: &GitopsArgs) -> Result<i32, Diagnostics> {
    let mut config = config::read(context, args)?;
    let wrong = |why: String| vec![Diagnostic::error("Cannot follow the repository", why)];
    let made = fs::create_dir_all(&config.workdir).and_then(|()| fs::canonicalize(&config.workdir));
    config.workdir = made.map_err(|error| {
        wrong(format!("The folder {} cannot be made: {error}.", config.workdir.display()))
    })?;
    let _lock = lock(&config.workdir).map_err(wrong)?;
    let record = Record::read(&config.workdir.join("gitops.json"), &config.remote.url);
    let record = record.map_err(|why| wrong(format!("{why}.")))?;
    let interrupt = planning::interrupts();
    let mut machine = Loop::new(config.pace, record.memory.clone());
    let mut actor = Actor::new(context, config, record, interrupt.clone()).map_err(wrong)?;
    actor.begin();
    loop {
        let now = chrono::Utc::now().timestamp();
        match machine.next(now) {
            Next::End(verdict) => {
                return Ok(match verdict {
                    Verdict::Fine => 0,
                    Verdict::Held => 2,
                    Verdict::Failed => 1,
                });
            }
            Next::Rest(until) => {
                actor.rest(until, now).await;
                if interrupt.level() > 0 {
                    actor.say("It was told to stop, and stops.");
                    return Ok(0);
                }
            }
            next => {
                let seen = actor.act(next).await;
                let ended = matches!(seen, plumb_gitops::Seen::Applied);
                if interrupt.level() > 0 && !ended {
                    // What was interrupted is not a failure of the commit.
                    actor.say("It was told to stop, and stops.");
                    return Ok(crate::INTERRUPTED);
                }
                machine.see(seen, chrono::Utc::now().timestamp());
                // Before what comes next: an apply is known to have begun.
                actor.remember(machine.memory()).map_err(wrong)?;
            }
        }
    }
}

/// Two loops in one folder would undo each other's work.
fn lock(workdir: &Path) -> Result<fs::File, String> {
    let path = workdir.join("lock");
    let file = fs::File::create(&path)
        .map_err(|error| format!("{} cannot be made: {error}.", path.display()))?;
    rustix::fs::flock(&file, rustix::fs::FlockOperation::NonBlockingLockExclusive)
        .map_err(|_| format!("Another loop works in {} already.", workdir.display()))?;
    Ok(file)
}
