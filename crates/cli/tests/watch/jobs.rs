//! The jobs under `examples/jobs` are what their managers accept.
