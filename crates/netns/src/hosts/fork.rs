//! New processes that go on in the code of this one.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};

use nix::sched::CloneFlags;
use rustix::process::Pid;

/// Exit code of a child that panicked.
const PANICKED: i32 = 70;

/// A new process, in new namespaces as `flags` say, that does `child` and ends with the code it gives. To be
/// called by a process that has one thread: the child could wait for ever for a lock of another.
#[expect(unsafe_code, reason = "no library forks into new namespaces")]
pub(crate) fn fork(flags: CloneFlags, child: impl FnOnce() -> i32) -> io::Result<Pid> {
    let flags = libc::c_long::from(flags.bits() | libc::SIGCHLD);
    // SAFETY: without a stack and without shared memory this is fork(2): the child goes on here with a copy of
    // everything. This process has no other thread, so no lock is held in that copy.
    let pid = unsafe { libc::syscall(libc::SYS_clone, flags, 0, 0, 0, 0) };
    match pid {
        -1 => Err(io::Error::last_os_error()),
        0 => {
            let code = catch_unwind(AssertUnwindSafe(child)).unwrap_or(PANICKED);
            // SAFETY: it ends the process, without what the parent registered for its own end.
            unsafe { libc::_exit(code) }
        }
        pid => {
            let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
            pid.ok_or_else(|| io::Error::other("a child without a number"))
        }
    }
}
