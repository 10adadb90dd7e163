//! The secret stores.
