//! What plumb starts itself as, for itself: in processes that have no thread yet.

use std::ffi::OsString;
use std::os::fd::{FromRawFd as _, OwnedFd, RawFd};
use std::path::Path;

use plumb_netns::client::HOLDER;
use plumb_netns::enter::ENTER;

/// How a shell says that a command could not even be tried.
const NOT_TRIED: i32 = 125;

/// Does what a hidden verb says, if there is one; the exit code.
pub(crate) fn run() -> Option<i32> {
    let words: Vec<OsString> = std::env::args_os().skip(1).take(2).collect();
    let [verb, first] = &words[..] else { return None };
    match verb.to_str()? {
        HOLDER => Some(match plumb_netns::holder::run(Path::new(first)) {
            Ok(()) => 0,
            Err(error) => {
                eprintln!("{error}");
                1
            }
        }),
        ENTER => {
            let number: RawFd = first.to_str()?.parse().ok()?;
            let command: Vec<String> =
                std::env::args_os().skip(4).map(|it| it.to_string_lossy().into_owned()).collect();
            let error = plumb_netns::enter::exec(&inherited(number)?, &command);
            let program = command.first().map_or("", String::as_str);
            eprintln!("plumb: {program}: {error}");
            Some(NOT_TRIED)
        }
        _ => None,
    }
}

/// A file that whoever started us left open for us.
#[expect(unsafe_code, reason = "a file that was inherited is known by its number only")]
fn inherited(number: RawFd) -> Option<OwnedFd> {
    if number < 3 || !Path::new(&format!("/proc/self/fd/{number}")).exists() {
        return None;
    }
    // SAFETY: it is open, and this process just began: nothing else in it knows the number.
    Some(unsafe { OwnedFd::from_raw_fd(number) })
}
