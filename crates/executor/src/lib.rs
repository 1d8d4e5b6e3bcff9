//! One apply as a state machine: which step next, and what a result means.
