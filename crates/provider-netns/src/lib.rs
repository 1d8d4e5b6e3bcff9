//! A cloud in the Linux kernel, as a provider: networks, routers, ports, security groups, floating
//! IPs, port forwards, hosts, snapshots and links, made of namespaces by the holder of
//! `plumb-netns`.
//!
//! What is here knows how a resource is written ([`kinds`]), what can be said of it before anything
//! is done ([`validate`], [`plan`]), how to talk to the holder ([`pool`], [`provider`]), and how
//! it tells what happens around objects ([`around`]). What
//! becomes of it in the kernel is the holder's business.

mod around;
mod chosen;
mod kinds;
mod plan;
mod pool;
mod provider;
mod schema;
#[cfg(test)]
mod tests;
mod text;
mod topology;
mod validate;

pub use provider::NetnsProvider;
