//! A service that never serves.
#![cfg_attr(target_os = "none", no_std, no_main)]

#[cfg(target_os = "none")]
fn sleep(_argument: u64) -> i32 {
    loop {
        let _nothing = nexus_rt::os::calls::wait(nexus_abi::kernel::NEVER);
    }
}

nexus_rt::program!(sleep);
