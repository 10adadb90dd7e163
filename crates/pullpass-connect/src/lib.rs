//! What speaks to the systems outside: clients of Docker Hub, the registry, CircleCI and GitHub, and
//! the stores that secrets are kept in.

pub mod store;
