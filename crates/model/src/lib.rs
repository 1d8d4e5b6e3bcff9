//! The vocabulary: values and types, addresses, schemas, state, plan, events.
