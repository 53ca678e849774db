//! A program that does nothing and ends well, in the place of one that must be caught.
#![cfg_attr(target_os = "none", no_std, no_main)]

#[cfg(target_os = "none")]
fn nothing(_argument: u64) -> i32 {
    0
}

nexus_rt::program!(nothing);
