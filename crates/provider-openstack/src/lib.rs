//! OpenStack: networks, routers, floating IPs, security groups, servers, images, snapshots.
//!
//! Names, types and flags are those of terraform-provider-openstack, so that files written for it
//! work unchanged.

#[allow(dead_code)]
mod auth;
#[allow(dead_code)]
mod session;
