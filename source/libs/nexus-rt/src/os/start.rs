//! Where a program begins, and how one ends that went wrong.
#![expect(unsafe_code, reason = "the first instructions of a program")]

use core::arch::global_asm;
use core::panic::PanicInfo;
use core::sync::atomic::{AtomicBool, Ordering::Relaxed};

use spin::Once;

use super::calls;

// SAFETY: the kernel starts a process here with a stack, and with its argument in a0, which is
// where `nexus_main` expects it. `nexus_main` never returns.
global_asm!(
    r#"
.section .text.start, "ax"
.globl _start
_start:
    call nexus_main
    unimp
"#
);

/// Makes `$main`, a function of the argument that the image gives this entry, what the program
/// begins with. What it returns is the program's exit code.
#[macro_export]
macro_rules! program {
    ($main:path) => {
        #[expect(unsafe_code, reason = "the name that the start of a program calls")]
        // SAFETY: no other function has this name.
        #[unsafe(no_mangle)]
        extern "C" fn nexus_main(argument: u64) -> ! {
            let main: fn(u64) -> i32 = $main;
            $crate::os::calls::exit(main(argument))
        }
    };
}

/// Makes a program of the service `$name`: `$make` makes it, as [`run`](crate::os::run) says. One
/// that records says by what that is brought, as [`run_with`](crate::os::run_with) says.
#[macro_export]
macro_rules! service {
    ($name:literal, $make:expr, $aside:expr) => {
        fn serve(_argument: u64) -> i32 {
            $crate::os::run_with($name, $aside, $make)
        }
        $crate::program!(serve);
    };
    ($name:literal, $make:expr) => {
        fn serve(_argument: u64) -> i32 {
            $crate::os::run($name, $make)
        }
        $crate::program!(serve);
    };
}

/// The exit code of a program that has panicked.
const PANICKED: i32 = 101;

/// What is done about a panic besides. A program that has nothing of the kind carries nothing of
/// it.
static HOOK: Once<fn(&PanicInfo<'_>)> = Once::new();
static HAS_PANICKED: AtomicBool = AtomicBool::new(false);

/// Lets `hook` see the panic that ends this program. The first one stays.
pub(super) fn install_panic_hook(hook: fn(&PanicInfo<'_>)) {
    HOOK.call_once(|| hook);
}

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    super::say(format_args!("{info}"));
    // A second panic is one of the hook's.
    let is_first = !HAS_PANICKED.swap(true, Relaxed);
    if let Some(hook) = HOOK.get().filter(|_| is_first) {
        hook(info);
    }
    calls::exit(PANICKED)
}
