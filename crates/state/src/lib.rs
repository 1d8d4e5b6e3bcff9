//! What is remembered between runs: journal, snapshot, lock.
//!
//! The snapshot is a Terraform state file, format v4. What happens after it is written goes to a
//! journal beside it, one line each event, and is folded into the next snapshot. It does not know
//! plans, providers or the language.

pub mod backend;
mod disk;
pub mod history;
pub mod journal;
pub mod lock;
pub mod push;
mod recover;
pub mod store;
pub mod v4;

#[cfg(test)]
mod formats;
#[cfg(test)]
mod testing;

pub use lock::LockInfo;
pub use store::{Backup, Lease, LocalStore, Opened, Recovery, StoreError};
