//! Compares what is wanted with what is there and orders the steps between.
