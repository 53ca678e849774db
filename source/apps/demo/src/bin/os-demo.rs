//! What the bundles of the boot image carry. It says three lines and ends: well, by a fault, or
//! because it takes more memory than it may; or it waits until it is ended. Which of them the
//! argument of its entry says.
#![cfg_attr(target_os = "none", no_std, no_main)]

#[cfg(target_os = "none")]
extern crate alloc;

#[cfg(target_os = "none")]
mod os {
    use alloc::vec;
    use core::hint::black_box;

    use nexus_abi::kernel::NEVER;
    use nexus_bounded::Nanos;
    use nexus_log::info;
    use nexus_rt::os::{Aside as _, Logs, calls};

    const FAULTS: u64 = 1;
    const HOARDS: u64 = 2;
    const WAITS: u64 = 3;

    /// Lines that it says.
    const LINES: u32 = 3;
    /// How long logd may take to have them.
    const PATIENCE: Nanos = Nanos::from_secs(1);
    /// Bytes that it takes at a time when it takes all.
    const HEAP: usize = 4096;

    pub(crate) fn run(argument: u64) -> i32 {
        let mut logs = Logs::install_without_console();
        for line in 1..=LINES {
            info!("demo", "line {line} of {LINES}"; line = line);
        }
        let is_said = logs.flush(PATIENCE);
        match argument {
            FAULTS => fall(black_box(1)),
            HOARDS => hoard(),
            WAITS => wait(),
            _ => i32::from(!is_said),
        }
    }

    /// Uses up its stack, behind which nothing is mapped.
    #[expect(unconditional_recursion, reason = "the stack ends it")]
    fn fall(depth: i32) -> i32 {
        let here = black_box([depth; 64]);
        fall(here[0] + 1) + here[63]
    }

    /// Waits for what never comes.
    fn wait() -> i32 {
        while calls::wait(NEVER).is_ok() {}
        1
    }

    /// Takes memory until there is none.
    fn hoard() -> i32 {
        loop {
            black_box(vec![1_u8; HEAP].leak());
        }
    }
}

nexus_rt::program!(os::run);
