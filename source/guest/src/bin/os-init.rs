//! The first process: starts the others, and hears nobody.
#![cfg_attr(target_os = "none", no_std, no_main)]

#[cfg(target_os = "none")]
mod supervising;

#[cfg(target_os = "none")]
fn run(_argument: u64) -> i32 {
    supervising::run(nexus_rt::os::calls::wait)
}

nexus_rt::program!(run);
