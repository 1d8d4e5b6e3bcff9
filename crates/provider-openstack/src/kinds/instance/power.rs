//! Power states, and how a server gets from one to another.

use plumb_provider::Failure;
use serde_json::Value as Json;

use super::id;
use crate::cloud::Cloud;
use crate::json::str_at;
use crate::nova::{self, Say};

/// One action on the way: its name in the API, the states that it may lead to, what to say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Leg {
    action: &'static str,
    to: &'static [&'static str],
    says: &'static str,
}

const fn leg(action: &'static str, to: &'static [&'static str], says: &'static str) -> Leg {
    Leg { action, to, says }
}

const START: Leg = leg("os-start", &["ACTIVE"], "start the server");
const UNPAUSE: Leg = leg("unpause", &["ACTIVE"], "unpause the server");
const RESUME: Leg = leg("resume", &["ACTIVE"], "resume the server");
const UNSHELVE: Leg = leg("unshelve", &["ACTIVE"], "unshelve the server");
const UNRESCUE: Leg = leg("unrescue", &["ACTIVE"], "end the rescue of the server");
const CONFIRM: Leg = leg("confirmResize", &["ACTIVE", "SHUTOFF"], "confirm the resize");
const STOP: Leg = leg("os-stop", &["SHUTOFF"], "stop the server");
const PAUSE: Leg = leg("pause", &["PAUSED"], "pause the server");
const SUSPEND: Leg = leg("suspend", &["SUSPENDED"], "suspend the server");
const SHELVE: Leg = leg("shelve", &["SHELVED", "SHELVED_OFFLOADED"], "shelve the server");
const OFFLOAD: Leg = leg("shelveOffload", &["SHELVED_OFFLOADED"], "take the server from its host");
const RESCUE: Leg = leg("rescue", &["RESCUE"], "rescue the server");

/// The next action from a status to a power state; none: it is there, or nothing leads there.
fn next(status: &str, wanted: &str) -> Option<Leg> {
    let awake = match status {
        "ACTIVE" => None,
        "SHUTOFF" => Some(START),
        "PAUSED" => Some(UNPAUSE),
        "SUSPENDED" => Some(RESUME),
        "SHELVED" | "SHELVED_OFFLOADED" => Some(UNSHELVE),
        "RESCUE" => Some(UNRESCUE),
        // A resize that nobody ended.
        "VERIFY_RESIZE" => Some(CONFIRM),
        _ => return None,
    };
    let (there, last) = match wanted {
        "active" => return awake,
        "shutoff" => ("SHUTOFF", STOP),
        "paused" => ("PAUSED", PAUSE),
        "suspended" => ("SUSPENDED", SUSPEND),
        "shelved_offloaded" => ("SHELVED_OFFLOADED", SHELVE),
        "rescued" => ("RESCUE", RESCUE),
        _ => return None,
    };
    // From some states Nova goes there without waking it up.
    match (status, wanted) {
        _ if status == there => None,
        ("SHELVED", "shelved_offloaded") => Some(OFFLOAD),
        ("SHUTOFF" | "PAUSED" | "SUSPENDED", "shelved_offloaded") | ("SHUTOFF", "rescued") => {
            Some(last)
        }
        _ => Some(awake.unwrap_or(last)),
    }
}

/// Leads a server into a power state; gives what it is then.
pub(super) async fn reach(
    cloud: &Cloud,
    mut server: Json,
    wanted: &str,
    say: Say<'_>,
) -> Result<Json, Failure> {
    // No way has more than four legs: confirm a resize, start, shelve, offload.
    for _ in 0..5 {
        let Some(leg) = next(str_at(&server, "status"), wanted) else { return Ok(server) };
        let (id, doing) = (id(&server).to_owned(), leg.says);
        say(format!("{}{}", doing[..1].to_uppercase(), &doing[1..]));
        nova::command(cloud, &id, leg.action).await.map_err(|it| it.failure(doing))?;
        server = nova::settled(cloud, &id, leg.to, doing, say).await?;
    }
    Ok(server)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The actions from a status to a power state.
    fn way(from: &str, to: &str) -> String {
        let (mut status, mut actions) = (from.to_owned(), Vec::new());
        while let Some(leg) = next(&status, to) {
            actions.push(leg.action);
            leg.to[0].clone_into(&mut status);
            assert!(actions.len() <= 3, "{actions:?}");
        }
        actions.join(" ")
    }

    #[test]
    fn ways() {
        assert_eq!(way("ACTIVE", "active"), "");
        assert_eq!(way("SHUTOFF", "active"), "os-start");
        assert_eq!(way("PAUSED", "shutoff"), "unpause os-stop");
        assert_eq!(way("SHELVED_OFFLOADED", "rescued"), "unshelve rescue");
        assert_eq!(way("RESCUE", "suspended"), "unrescue suspend");
        assert_eq!(way("SHUTOFF", "shelved_offloaded"), "shelve shelveOffload");
        assert_eq!(way("RESCUE", "shelved_offloaded"), "unrescue shelve shelveOffload");
        assert_eq!(way("SHUTOFF", "rescued"), "rescue");
        assert_eq!(way("VERIFY_RESIZE", "shutoff"), "confirmResize os-stop");
        assert_eq!(way("ERROR", "active"), "");
    }
}
