//! The decisions of `plumb gitops`: what the loop does next, whether a plan may be applied, whose
//! signature counts, what a forge is told. It is given facts and gives answers; fetching, running
//! and posting are the command line's.

mod allowed;
mod approval;
mod comment;
mod decide;
mod links;
mod machine;
mod tags;
mod time;
mod window;

pub use allowed::{AllowedSigner, AllowedSigners, Trust};
pub use approval::{Approval, Standing};
pub use comment::{Comment, Details, Mask, clipped, marker};
pub use decide::{Counts, Decision, Facts, Mode, Policy, Reason, decide};
pub use links::{Entry, Escape, escapes, is_safe_path, is_state_file};
pub use machine::{Loop, Memory, Next, Pace, Pending, Refused, Seen, Verdict};
pub use tags::newest_tag;
pub use time::{Time, utc};
pub use window::{Freeze, Window};
