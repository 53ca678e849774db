//! What is kept of the registry beyond this life.

mod sampling;
#[cfg(test)]
mod tests;

#[cfg_attr(not(test), expect(unused_imports, reason = "as above"))]
pub(crate) use sampling::{Records, Sampler};
