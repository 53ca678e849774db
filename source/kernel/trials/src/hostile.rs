//! Processes that ask for what they must not get.
#![expect(unsafe_code, reason = "asks with whatever arguments")]

use alloc::vec;
use alloc::vec::Vec;
use core::hint::black_box;

use nexus_abi::kernel::{
    ADDRESS_HEAP, ADDRESS_IMAGE, ADDRESS_STACK_END, KernelError, NEVER, SystemCall,
};
use nexus_abi::{FRAME_BYTES_MAX, Rights};
use nexus_rt::os::calls::{self, Slot};

use crate::role::{self, Case};

pub(crate) const CASES: &[Case] = &[
    Case::exits("exhausts_memory", exhausts_memory),
    Case::is_killed("spins_for_ever", spins_for_ever),
    Case::is_killed("waits_for_ever", waits_for_ever),
    Case::exits("sends_4097_bytes", sends_4097_bytes),
    Case::exits("gives_bad_pointers", gives_bad_pointers),
    Case::exits("uses_what_it_does_not_hold", uses_what_it_does_not_hold),
    Case::exits("asks_for_what_is_not_there", asks_for_what_is_not_there),
    Case::exits("asks_a_million_things", asks_a_million_things),
    Case::exits("computes_with_fractions", computes_with_fractions),
    Case::exits("allocates_until_sealed", allocates_until_sealed),
    Case::exits("uses_again_what_it_gave_back", uses_again_what_it_gave_back),
];

fn exhausts_memory() -> i32 {
    let left = calls::info().pages_left;
    let mut taken = 0;
    while taken <= left && calls::grow(1).is_ok() {
        taken += 1;
    }
    let refused = calls::grow(1) == Err(KernelError::NoMemory);
    let still = calls::grow(64) == Err(KernelError::NoMemory);
    // Some pages went into page tables.
    role::all([refused, still, taken > left / 2, taken <= left])
}

fn spins_for_ever() -> i32 {
    loop {
        black_box(());
    }
}

fn waits_for_ever() -> i32 {
    loop {
        let _nothing = calls::wait(NEVER);
    }
}

/// Any call, without promises: what the kernel does with bad pointers is what is tried here.
pub(crate) fn ask(call: SystemCall, a: [u64; 6]) -> Result<(), KernelError> {
    // SAFETY: pointers among the arguments lie outside of memory that Rust knows of, or in
    // buffers that are only there for this.
    let [status, ..] = unsafe { calls::raw(call.raw(), a) };
    KernelError::from_raw(status.wrapping_neg()).map_or(Ok(()), Err)
}

fn sends_4097_bytes() -> i32 {
    static BYTES: [u8; 3 * FRAME_BYTES_MAX] = [1; 3 * FRAME_BYTES_MAX];
    let to = role::server("echo");
    let mut answer = [0; FRAME_BYTES_MAX];
    let too_long = calls::call(to, &BYTES[..4097], &mut answer, NEVER);
    let huge = ask(SystemCall::Submit, [to.0, BYTES.as_ptr() as u64, u64::MAX, 0, 0, 0]);
    let fits = calls::call(to, &BYTES[..4096], &mut answer, NEVER);
    role::all([
        too_long == Err(calls::Failure::Kernel(KernelError::TooLong)),
        huge == Err(KernelError::TooLong),
        fits == Ok(4096),
    ])
}

/// Addresses that are not ours to read.
const UNREADABLE: &[u64] = &[
    8,
    0x1000_0000,
    0x3fff_ffff,
    ADDRESS_HEAP as u64,
    ADDRESS_STACK_END as u64 - 4,
    ADDRESS_STACK_END as u64,
    0x8000_0000,
    0x8020_0000,
    0x8100_0000,
    0x40_0000_0000,
    0x8000_0000_0000_0000,
    0xffff_ffff_ffff_f000,
    u64::MAX,
    u64::MAX - 4096,
];

fn gives_bad_pointers() -> i32 {
    let to = role::server("echo").0;
    let mut good = [0_u8; 64];
    let good = good.as_mut_ptr() as u64;
    let unwritable = [ADDRESS_IMAGE as u64, UNREADABLE.as_ptr() as u64];
    let refused = |call, a| ask(call, a) == Err(KernelError::BadAddress);
    let reading = UNREADABLE.iter().all(|&bad| {
        refused(SystemCall::Submit, [to, bad, 8, good, 8, 0])
            && refused(SystemCall::Call, [to, bad, 8, good, 8, NEVER])
            && refused(SystemCall::Reply, [0, bad, 8, 0, 0, 0])
            && refused(SystemCall::ReplyReceive, [0, bad, 8, good, NEVER, 0])
    });
    let writing = UNREADABLE.iter().chain(&unwritable).all(|&bad| {
        refused(SystemCall::Submit, [to, good, 8, bad, 8, 0])
            && refused(SystemCall::Call, [to, good, 8, bad, 8, NEVER])
            && refused(SystemCall::Receive, [bad, NEVER, 0, 0, 0, 0])
    });
    let across = refused(SystemCall::Submit, [to, ADDRESS_STACK_END as u64 - 8, 16, good, 8, 0]);
    role::all([reading, writing, across])
}

fn uses_what_it_does_not_hold() -> i32 {
    let refused = |result: Result<(), KernelError>| result == Err(KernelError::NoCapability);
    let nobody = |slot: u64| {
        let slot = Slot(slot);
        refused(calls::print(slot, format_args!("forged")))
            && refused(calls::halt(slot, 1))
            && refused(calls::kill(slot))
            && refused(calls::signal(slot, nexus_abi::kernel::Signals::STOP))
            && refused(calls::spawn(slot, Rights::NONE).map(drop))
            && refused(calls::child(slot).map(drop))
            && refused(calls::acknowledge(slot, 1))
            && refused(calls::map(slot).map(drop))
            && refused(calls::interrupt_done(slot))
    };
    let held = (0..64).filter(|&slot| !refused(ask(SystemCall::Submit, [slot, 0, 0, 0, 0, 0])));
    let calls_only = held.clone().count() == 4;
    role::all([(0..70).all(nobody), nobody(u64::MAX), calls_only])
}

fn asks_for_what_is_not_there() -> i32 {
    // SAFETY: there are no such calls.
    let unknown = |number| unsafe { calls::raw(number, [1; 6]) }[0].wrapping_neg();
    let all_unknown = [18, 19, 100, 1 << 32, u64::MAX]
        .iter()
        .all(|&number| unknown(number) == KernelError::UnknownCall.raw());
    let no_kind = ask(SystemCall::Find, [0, 0, 0, 0, 0, 0]) == Err(KernelError::NotFound);
    let too_many = calls::grow(65) == Err(KernelError::TooLong);
    let none = calls::grow(0).is_ok();
    role::all([all_unknown, no_kind, too_many, none])
}

/// Numbers without any pattern that a kernel could be made for.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// Often something that means something.
    fn argument(&mut self, scratch: u64) -> u64 {
        let any = self.next();
        match self.next() % 8 {
            0 => any,
            1 => any % 32,
            2 => any % 5000,
            3 => scratch + any % 8192,
            4 => UNREADABLE[any as usize % UNREADABLE.len()],
            5 => ADDRESS_STACK_END as u64 - any % 8192,
            6 => any << 32 | any % 4 << 16 | any % 4,
            _ => 0,
        }
    }
}

/// Memory for whatever the kernel is told to put there.
static mut SCRATCH: [u8; 16384] = [0; 16384];

fn asks_a_million_things() -> i32 {
    let scratch = &raw mut SCRATCH as u64;
    let mut numbers = Numbers(0x9e37_79b9_7f4a_7c15);
    for _ in 0..1_000_000 {
        let number = numbers.next() % 20;
        let mut a = [(); 6].map(|()| numbers.argument(scratch));
        match SystemCall::from_raw(number) {
            Some(SystemCall::Exit) => continue,
            Some(SystemCall::Receive) => a[1] = 0,
            Some(SystemCall::ReplyReceive) => a[4] = 0,
            Some(SystemCall::Call) => a[5] = 0,
            _ => {}
        }
        // Nothing may be written to our stack, which we need to go on.
        let writes = [a[0], a[3]].map(|at| (STACK..ADDRESS_STACK_END as u64).contains(&at));
        if writes == [false; 2] {
            // SAFETY: what the kernel writes lies in `SCRATCH`, which nothing else uses, or in the
            // heap, of which nothing is used.
            let [status, ..] = unsafe { calls::raw(number, a) };
            if !may_answer(number, status) {
                return number as i32 + 1;
            }
        }
    }
    0
}

/// Whether the page on the kernel lets a call come back with that.
fn may_answer(number: u64, status: u64) -> bool {
    let error = KernelError::from_raw(status.wrapping_neg());
    let call = SystemCall::from_raw(number);
    match (call, error) {
        (None, error) => error == Some(KernelError::UnknownCall),
        (Some(call), Some(error)) => call.refusals().contains(&error),
        (Some(_), None) => status <= 5,
    }
}

const STACK: u64 = ADDRESS_STACK_END as u64 - 0x10_0000;

/// Others run in between, and some of them compute with other fractions.
fn computes_with_fractions() -> i32 {
    let mut sum = 0.0_f64;
    for n in 1..200_u32 {
        sum += 1.0 / f64::from(black_box(n));
        let _others = calls::wait(0);
    }
    role::all([(sum - 5.873_030_948_121_446).abs() < 1e-9])
}

/// What services do: take memory at their start, and none later.
fn allocates_until_sealed() -> i32 {
    let mut before = Vec::new();
    let reserved = before.try_reserve_exact(100_000).is_ok();
    before.extend((0..100_000_u32).map(|n| n as u8));
    let kept = before.iter().zip(0..).all(|(&byte, n)| byte == n as u8);
    nexus_rt::os::seal();
    let refused = Vec::<u8>::new().try_reserve_exact(1).is_err();
    role::all([reserved, kept, refused])
}

/// Blocks of memory that are given back serve again, where a program has asked for that: as many as
/// are in use at the same time are taken, and no two of them are one.
fn uses_again_what_it_gave_back() -> i32 {
    const SIZES: [usize; 5] = [1, 24, 100, 600, 2000];
    let round = |byte: u8| {
        let blocks = black_box(SIZES.map(|size| vec![byte; size]));
        let others = black_box(SIZES.map(|size| vec![!byte; size]));
        blocks.iter().flatten().all(|&it| it == byte)
            && others.iter().flatten().all(|&it| it == !byte)
    };
    nexus_rt::os::reuse();
    let first = round(0);
    let taken = nexus_rt::os::taken();
    let others = (0..1_000_u32).all(|n| round(n as u8));
    let has_taken_no_more = nexus_rt::os::taken() == taken;
    drop(black_box(vec![0_u8; 5000]));
    let large_is_not_kept = nexus_rt::os::taken() >= taken + 5000;
    role::all([first, others, has_taken_no_more, large_is_not_kept])
}
