//! What is remembered between runs: journal, snapshot, lock.
