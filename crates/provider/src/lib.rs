//! What a provider is: the trait, the schema derive, conformance tests for implementors.
