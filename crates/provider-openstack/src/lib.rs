//! OpenStack: networks, routers, floating IPs, security groups, servers, images, snapshots.
//!
//! Names, types and flags are those of terraform-provider-openstack, so that files written for it
//! work unchanged.

#[allow(dead_code)]
mod auth;
mod change;
mod cloud;
mod config;
mod data;
mod json;
mod kinds;
mod lookup;
mod neutron;
mod plan;
mod provider;
mod range;
#[allow(dead_code)]
mod session;
mod stamp;
mod table;
#[cfg(test)]
mod tests;

pub use provider::OpenStackProvider;
