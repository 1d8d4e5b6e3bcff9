//! Watching: when to look at the world again, at what, and which drift to repair now.
//!
//! Pure: [`Watch`] is told what happened and when, and answers with what is to be done. It does not
//! know how a look or a repair is made, nor how somebody is told. At any time at most one look or
//! repair is under way.

mod budget;
mod fight;
mod input;
mod looks;
mod news;
mod permit;
mod repairs;
mod scope;
mod settings;
mod watch;

pub use fight::Fight;
pub use input::{Input, NotLooked, Outcome, Output, Refusal, Repair, Repaired};
pub use news::{Held, News, Status};
pub use permit::permit;
pub use scope::{Narrow, Scope};
pub use settings::{Mode, Ms, Settings};
pub use watch::Watch;
