//! Plans, runs and diagnostics as text and JSON.
