//! Kills, starves and cuts the power of the real program on a real file system, and counts what it
//! lost, made twice or left unreadable. Tests only.
//!
//! The world that the program acts upon is here ([`world`]): what is made and deleted in it goes
//! into a [`ledger`] that no fault reaches. A [`trial`] strikes a run by a fault ([`scenario`]),
//! does what a user would do next, and holds state and ledger against each other. `docs/reliability.md`
//! tells what is promised, how it is measured, and what came of it.

pub mod database;
mod fault;
pub mod growth;
pub mod ledger;
pub mod power;
pub mod run;
pub mod scenario;
pub mod table;
pub mod tool;
pub mod trace;
pub mod trial;
pub mod world;

pub use fault::is_installed;
