//! Docker Engine: images, containers, networks, volumes, commits.
//!
//! The provider is [`DockerProvider`]. It knows one engine and what was planned for it; nothing of
//! plans, states or terminals.

mod args;
mod auth;
mod beside;
mod build;
mod commit;
mod connect;
mod container;
mod context;
mod data;
mod dockerignore;
mod endpoint;
mod failure;
mod follow;
mod image;
mod import;
mod network;
mod provider;
mod reference;
mod registry;
mod registry_image;
mod schema;
mod tag;
mod topology;
mod volume;

pub use provider::DockerProvider;
