//! Servers that try the kernel together with their one client.
#![expect(unsafe_code, reason = "names every floating-point register")]

use core::arch::asm;

use nexus_abi::FRAME_BYTES_MAX;
use nexus_abi::kernel::{KernelError, NEVER, SystemCall};
use nexus_rt::os::calls::{self, Buffer};

use crate::hostile::ask;
use crate::requests::asked;
use crate::role::{self, Case, server};
use crate::servers::{error, next};

pub(crate) const CASES: &[Case] = &[
    Case::exits("calls_a_clumsy_server", calls_a_clumsy_server).with(&["clumsy"]),
    Case::exits("keeps_its_fractions", keeps_its_fractions).with(&["fractions"]),
];

/// Answers, and wants its next request where none may lie: then it has not answered.
pub(crate) fn clumsy() -> i32 {
    let mut buffer = [0; FRAME_BYTES_MAX];
    loop {
        let (token, _) = next(&mut buffer);
        let lost = b"lost".as_ptr() as u64;
        let refused = ask(SystemCall::ReplyReceive, [token, lost, 4, NOWHERE, NEVER, 0]);
        let kept = calls::reply(token, &[error(refused)]);
        let again = calls::reply(token, b"again");
        if (kept, again) != (Ok(()), Err(KernelError::Gone)) {
            return 1;
        }
    }
}

const NOWHERE: u64 = 8;

fn calls_a_clumsy_server() -> i32 {
    let mut answer = [0; 64];
    let refused = Ok(&[KernelError::BadAddress.raw() as u8][..]);
    role::all((0..3).map(|_| asked("clumsy", b"hello", &mut answer) == refused))
}

/// `f0` to `f31` and `fcsr`.
type Floats = [u64; 33];

/// Registers that nobody else has, with a rounding mode and flags.
fn floats(seed: u64, fcsr: u64) -> Floats {
    let mut floats = core::array::from_fn(|n| seed.wrapping_mul(2 * n as u64 + 1));
    floats[32] = fcsr;
    floats
}

const CLIENTS: (u64, u64) = (0x9e37_79b9_7f4a_7c15, 0x23);
const SERVERS: (u64, u64) = (0xbf58_476d_1ce4_e5b9, 0x4c);
const ROUNDS: u64 = 50;

/// Calls the kernel while the registers hold `floats`; what it says, and what they hold then.
fn hold(floats: &Floats, call: SystemCall, a: [u64; 6]) -> ([u64; 2], Floats) {
    let mut after = [0; 33];
    let (mut status, mut first) = (a[0], a[1]);
    // SAFETY: all registers that change are named; pointers among the arguments are the caller's
    // buffers, which live on its stack until the call has come back.
    unsafe {
        asm!(
            ".irp n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,\
             17,18,19,20,21,22,23,24,25,26,27,28,29,30,31",
            "fld f\\n, (8 * \\n)({floats})",
            ".endr",
            "ld {scratch}, 256({floats})",
            "fscsr {scratch}",
            "ecall",
            ".irp n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,\
             17,18,19,20,21,22,23,24,25,26,27,28,29,30,31",
            "fsd f\\n, (8 * \\n)({after})",
            ".endr",
            "frcsr {scratch}",
            "sd {scratch}, 256({after})",
            "fscsr zero",
            floats = in(reg) floats,
            after = in(reg) &raw mut after,
            scratch = out(reg) _,
            in("a7") call.raw(),
            inlateout("a0") status,
            inlateout("a1") first,
            inlateout("a2") a[2] => _,
            inlateout("a3") a[3] => _,
            inlateout("a4") a[4] => _,
            inlateout("a5") a[5] => _,
            out("f0") _, out("f1") _, out("f2") _, out("f3") _, out("f4") _, out("f5") _,
            out("f6") _, out("f7") _, out("f8") _, out("f9") _, out("f10") _, out("f11") _,
            out("f12") _, out("f13") _, out("f14") _, out("f15") _, out("f16") _, out("f17") _,
            out("f18") _, out("f19") _, out("f20") _, out("f21") _, out("f22") _, out("f23") _,
            out("f24") _, out("f25") _, out("f26") _, out("f27") _, out("f28") _, out("f29") _,
            out("f30") _, out("f31") _,
            options(nostack)
        );
    }
    ([status, first], after)
}

const REQUEST: u64 = 5;
const COMPLETION: u64 = 4;

/// Answers with whether its registers are still its own.
pub(crate) fn fractions() -> i32 {
    let mut buffer: Buffer = [0; FRAME_BYTES_MAX];
    let place = &raw mut buffer as u64;
    let (mut token, _) = next(&mut buffer);
    let mut kept = true;
    for round in 0.. {
        let own = floats(SERVERS.0 ^ round, SERVERS.1);
        let answer = [u8::from(kept)];
        let answer_at = answer.as_ptr() as u64;
        let asked = [token, answer_at, 1, place, NEVER, 0];
        let ([event, next], after) = hold(&own, SystemCall::ReplyReceive, asked);
        if event != REQUEST {
            return 1;
        }
        (token, kept) = (next, after == own);
    }
    0
}

/// Takes turns with a server that computes too; each sees its own registers only.
fn keeps_its_fractions() -> i32 {
    let to = server("fractions").0;
    role::all((0..ROUNDS).map(|round| {
        let own = floats(CLIENTS.0 ^ round, CLIENTS.1);
        let mut answer = [0_u8];
        let asked = [to, own.as_ptr() as u64, 1, answer.as_mut_ptr() as u64, 1, NEVER];
        let ([event, _], after) = hold(&own, SystemCall::Call, asked);
        event == COMPLETION && after == own && answer == [1]
    }))
}
