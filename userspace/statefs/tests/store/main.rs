//! The store on a simulated disk.

mod basics;
mod bed;
mod crashes;
mod damage;
mod failures;
mod format;
mod model;
