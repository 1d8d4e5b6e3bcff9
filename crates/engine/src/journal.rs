//! What the engine needs of a state: a place to write to.

use plumb_model::event::Event;
use plumb_model::state::State;
use plumb_state::{Lease, StoreError};

/// Where events are written before they are relied on, and folded when a run is over.
pub trait Journal {
    /// Writes events; all are durable on return. After an error none of them counts.
    fn append(&mut self, events: &[Event]) -> Result<(), StoreError>;

    /// Whether the state is still ours to write to. Asked after the process slept, before calls that
    /// it had in hand go on.
    fn confirm(&mut self) -> Result<(), StoreError> {
        Ok(())
    }

    /// Folds everything into a snapshot of `state`.
    fn checkpoint(&mut self, state: &State) -> Result<(), StoreError>;

    /// Whether that should happen soon, in mid-run: the journal does not outlive this machine.
    fn is_due(&self) -> bool {
        false
    }
}

impl Journal for Lease {
    fn append(&mut self, events: &[Event]) -> Result<(), StoreError> {
        Lease::append(self, events)
    }

    fn checkpoint(&mut self, state: &State) -> Result<(), StoreError> {
        Lease::checkpoint(self, state).map(drop)
    }

    fn confirm(&mut self) -> Result<(), StoreError> {
        Lease::confirm(self)
    }

    fn is_due(&self) -> bool {
        Lease::is_due(self)
    }
}
