//! What messages cost, in instructions of all that run: it is alone with one server.
#![expect(unsafe_code, reason = "reads a counter")]

use core::arch::asm;

use nexus_abi::FRAME_BYTES_MAX;
use nexus_abi::kernel::{CapabilityKind, NEVER};
use nexus_rt::os::calls::{self, Buffer};

use crate::guests;
use crate::role::{server, slot};

const ROUNDS: u64 = 100;

/// As a port keeps its frames: none lies across a boundary of pages.
#[repr(align(4096))]
pub(crate) struct Aligned(pub(crate) Buffer);

/// Where a frame lies as no port keeps it: its first bytes in one page, the others in the next.
const ACROSS_AT: usize = FRAME_BYTES_MAX - 512;

#[repr(align(4096))]
struct TwoPages([u8; 2 * FRAME_BYTES_MAX]);

pub(crate) fn run() -> i32 {
    let console = slot(CapabilityKind::Console, "");
    let started = guests::start(&["mirror"]);
    for bytes in [0, 64, 1024, 4096] {
        let cost = round_trip(bytes);
        let _shown = calls::print(console, format_args!("cost round_trip_{bytes} {cost}"));
    }
    let across = across_pages(1024);
    let _shown = calls::print(console, format_args!("cost round_trip_1024_across_pages {across}"));
    let _shown = calls::print(console, format_args!("cost system_call {}", system_call()));
    let _never = calls::halt(slot(CapabilityKind::Halt, ""), u16::from(!started));
    1
}

fn instructions() -> u64 {
    let count;
    // SAFETY: the kernel lets processes read this counter.
    unsafe { asm!("rdinstret {}", out(reg) count, options(nomem, nostack)) }
    count
}

/// Instructions of one call with `bytes` each way, the server's own included.
fn round_trip(bytes: usize) -> u64 {
    let request = Aligned([7; FRAME_BYTES_MAX]);
    let mut answer = Aligned([0; FRAME_BYTES_MAX]);
    cost_of(&request.0[..bytes], &mut answer.0)
}

/// As [`round_trip`] of a client whose request and answer each lie across two pages.
fn across_pages(bytes: usize) -> u64 {
    let request = TwoPages([7; 2 * FRAME_BYTES_MAX]);
    let mut answer = TwoPages([0; 2 * FRAME_BYTES_MAX]);
    let Some(answer) = answer.0[ACROSS_AT..].first_chunk_mut() else { return 0 };
    cost_of(&request.0[ACROSS_AT..][..bytes], answer)
}

fn cost_of(request: &[u8], answer: &mut Buffer) -> u64 {
    let to = server("mirror");
    let mut call = || calls::call(to, request, answer, NEVER);
    let _warm = call();
    let start = instructions();
    for _ in 0..ROUNDS {
        let _answered = call();
    }
    (instructions() - start) / ROUNDS
}

fn system_call() -> u64 {
    let start = instructions();
    for _ in 0..ROUNDS {
        let _nothing = calls::grow(0);
    }
    (instructions() - start) / ROUNDS
}
