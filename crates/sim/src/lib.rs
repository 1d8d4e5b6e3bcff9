//! Whole lives of configurations in a faulty world. Tests only.
