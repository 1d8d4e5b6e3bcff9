//! OpenStack: networks, routers, floating IPs, security groups, servers, images, snapshots.
//!
//! Names, types and flags are those of terraform-provider-openstack, so that files written for it
//! work unchanged.

mod around;
mod auth;
mod change;
mod cloud;
mod config;
mod data;
mod glance;
mod json;
mod kinds;
mod lookup;
mod neutron;
mod nova;
mod plan;
mod provider;
mod range;
mod session;
mod stamp;
mod table;
#[cfg(test)]
mod tests;
mod told;
mod topology;

pub use provider::OpenStackProvider;
