//! Docker Engine: images, containers, networks, volumes, commits.
