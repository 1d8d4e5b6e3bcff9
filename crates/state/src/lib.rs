//! What is remembered between runs: journal, snapshot, lock.
//!
//! The snapshot is a Terraform state file, format v4. What happens after it is written goes to a
//! journal beside it, one line each event, and is folded into the next snapshot. It does not know
//! plans, providers or the language.

pub mod backend;
mod error;
mod files;
pub mod history;
pub mod journal;
pub mod lock;
mod measure;
pub mod push;
mod recover;
pub mod seal;
pub mod split;
mod store;
pub mod v4;

#[cfg(test)]
mod formats;
#[cfg(test)]
mod testing;

pub use error::StoreError;
pub use files::{Backup, Folder};
pub use lock::LockInfo;
pub use store::{Lease, Opened, Recovery, Store};
