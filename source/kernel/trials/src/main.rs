//! What the kernel promises, tried by processes that do their worst.
//!
//! One program in many roles: an entry of the image plays the role that its name says. `judge` is
//! the first process. It starts one hostile process after another, looks how each ended, and makes
//! sure each time that everybody else still works. Then it stops the machine, with 0 if all went
//! as promised. `cargo xtask kernel` reads its lines. `judge-beside` does so beside a system at
//! work, for `cargo xtask boot --hostile`.
#![cfg_attr(target_os = "none", no_std, no_main)]

#[cfg(target_os = "none")]
extern crate alloc;

#[cfg(target_os = "none")]
mod bench;
#[cfg(target_os = "none")]
mod beside;
#[cfg(target_os = "none")]
mod budgets;
#[cfg(target_os = "none")]
mod faults;
#[cfg(target_os = "none")]
mod guests;
#[cfg(target_os = "none")]
mod hostile;
#[cfg(target_os = "none")]
mod judge;
#[cfg(target_os = "none")]
mod pairs;
#[cfg(target_os = "none")]
mod requests;
#[cfg(target_os = "none")]
mod resources;
#[cfg(target_os = "none")]
mod role;
#[cfg(target_os = "none")]
mod servers;
#[cfg(target_os = "none")]
mod wards;

#[cfg(target_os = "none")]
nexus_rt::program!(role::play);

/// Elsewhere there is nothing to try.
#[cfg(not(target_os = "none"))]
fn main() {
    println!("the trials run under the kernel: `cargo xtask kernel`");
}
