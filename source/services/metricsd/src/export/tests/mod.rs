//! The export against a journal that loses, refuses, restarts and stands still.

mod behaviour;
mod model;
mod random;

pub(crate) use model::*;
