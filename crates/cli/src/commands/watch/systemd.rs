//! What the service manager is told, in the datagrams that `sd_notify(3)` describes. Without a
//! manager nothing is done.

use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// How often the manager wants to hear that we live; half of what it allows.
pub(crate) fn heartbeat() -> Option<Duration> {
    let number = |name: &str| std::env::var(name).ok()?.parse::<u64>().ok();
    // It may be meant for the process that started us.
    if number("WATCHDOG_PID").is_some_and(|it| it != u64::from(std::process::id())) {
        return None;
    }
    number("WATCHDOG_USEC").map(|it| Duration::from_micros(it / 2)).filter(|it| !it.is_zero())
}

/// Everything is set up.
pub(crate) fn ready(status: &str) {
    tell(&format!("READY=1\nSTATUS={}\n", line(status)));
}

/// How things are, in a line.
pub(crate) fn status(status: &str) {
    tell(&format!("STATUS={}\n", line(status)));
}

/// We live.
pub(crate) fn alive() {
    tell("WATCHDOG=1\n");
}

/// The configuration is read again; [`ready`] is said when that is done.
pub(crate) fn reloading() {
    let now = clock_gettime(ClockId::Monotonic);
    let us = i128::from(now.tv_sec) * 1_000_000 + i128::from(now.tv_nsec) / 1_000;
    tell(&format!("RELOADING=1\nMONOTONIC_USEC={us}\n"));
}

/// The end is near.
pub(crate) fn stopping() {
    tell("STOPPING=1\n");
}

fn line(text: &str) -> String {
    text.replace(['\n', '\r'], " ")
}

/// A manager that is gone, or too busy to take it, does not stop us.
fn tell(message: &str) {
    let Some(path) = std::env::var_os("NOTIFY_SOCKET") else { return };
    let path = path.to_string_lossy();
    let address = match path.strip_prefix('@') {
        Some(name) => SocketAddr::from_abstract_name(name),
        None => SocketAddr::from_pathname(&*path),
    };
    let _ = address.and_then(|address| {
        let socket = UnixDatagram::unbound()?;
        socket.set_nonblocking(true)?;
        socket.send_to_addr(message.as_bytes(), &address)
    });
}
