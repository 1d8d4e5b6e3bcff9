//! The provider that every configuration has: terraform_data and terraform_remote_state.
