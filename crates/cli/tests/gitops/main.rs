//! The whole loop: real repositories, real signatures, and the program run on them. Git and OpenSSH make what is
//! followed; plumb itself starts neither git nor ssh-keygen.
#![expect(clippy::unwrap_used, reason = "tests")]

mod approvals;
mod docs;
mod forge_server;
mod forges;
mod kills;
mod loops;
mod signatures;
mod transports;
mod world;
mod writes;
