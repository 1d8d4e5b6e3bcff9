//! A cloud in the Linux kernel: networks, routers, filters and hosts made of network namespaces,
//! bridges, veth pairs, nftables, overlayfs, pid and user namespaces. No daemon, no root, no image.
//!
//! One long-lived process per cloud, the *holder*, keeps the namespaces and knows the objects
//! ([`spec`]); it is started on demand, is reached through a socket in the cloud's folder
//! ([`wire`]), and ends when the last object goes. What an object needs in the kernel is worked out
//! by pure functions, as facts per namespace ([`want`]), and made so by netlink.
//!
//! This crate does not know what a provider or a plan is.

pub mod beside;
pub mod client;
pub mod cloud;
pub mod drift;
pub mod enter;
pub mod holder;
pub mod hosts;
pub mod kernel;
pub mod render;
pub mod spec;
mod touched;
pub mod want;
pub mod wire;
