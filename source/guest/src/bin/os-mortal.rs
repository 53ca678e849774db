//! A program that panics as soon as it begins, whenever it does.
#![cfg_attr(target_os = "none", no_std, no_main)]

#[cfg(target_os = "none")]
fn die(_argument: u64) -> i32 {
    let _logs = nexus_rt::os::Logs::install();
    panic!("mortal as {}", "ever");
}

nexus_rt::program!(die);
