//! What a process may ask of the kernel. `docs/kernel.md` says what each call does and refuses.
#![expect(unsafe_code, reason = "system calls are an instruction that a compiler knows nothing of")]

use core::arch::asm;
use core::fmt::{self, Write as _};

use nexus_abi::kernel::{
    CapabilityKind, ChildStatus, KernelError, LINE_BYTES_MAX, Received, Signals, SystemCall,
};
use nexus_abi::{FRAME_BYTES_MAX, Incarnation, Rights, ServiceId};

/// A place for a request.
pub type Buffer = [u8; FRAME_BYTES_MAX];

/// A slot that holds a capability.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Slot(pub u64);

/// Who we are.
#[derive(Clone, Copy, Debug)]
pub struct Info {
    /// Our service.
    pub service: ServiceId,
    /// Our process number.
    pub pid: u32,
    /// Which life this is.
    pub incarnation: Incarnation,
    /// What is stamped on our requests.
    pub rights: Rights,
    /// The kernel's version of the interface.
    pub abi: u32,
    /// Ticks of the clock in a second.
    pub ticks_per_second: u64,
    /// Pages that we may still take.
    pub pages_left: usize,
}

/// Why a call has no answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Failure {
    /// The kernel says why.
    Kernel(KernelError),
    /// The deadline came first; the call is given up.
    TimedOut,
}

/// Memory that was mapped for us.
#[derive(Clone, Copy, Debug)]
pub struct Mapping {
    /// Where.
    pub address: usize,
    /// How much.
    pub bytes: usize,
    /// Where devices see it, for pools.
    pub physical: u64,
}

type Registers = [u64; 6];

/// Any system call at all.
///
/// # Safety
/// Pointers among the arguments name memory that the kernel may read or write as the call does, for
/// as long as it does.
#[inline]
pub unsafe fn raw(number: u64, a: Registers) -> Registers {
    let mut r = a;
    let [r0, r1, r2, r3, r4, r5] = &mut r;
    // SAFETY: the kernel keeps every register but these, and touches the memory that the caller
    // has promised.
    unsafe {
        asm!(
            "ecall",
            in("a7") number,
            inlateout("a0") *r0,
            inlateout("a1") *r1,
            inlateout("a2") *r2,
            inlateout("a3") *r3,
            inlateout("a4") *r4,
            inlateout("a5") *r5,
            options(nostack)
        );
    }
    r
}

/// A call whose arguments name no memory.
#[inline]
fn plain<const N: usize>(call: SystemCall, arguments: [u64; N]) -> Result<Registers, KernelError> {
    let mut a = [0; 6];
    a[..N].copy_from_slice(&arguments);
    // SAFETY: none of these calls follows a pointer.
    checked(unsafe { raw(call.raw(), a) })
}

#[inline]
fn checked(r: Registers) -> Result<Registers, KernelError> {
    match KernelError::from_raw(r[0].wrapping_neg()) {
        Some(error) => Err(error),
        None => Ok(r),
    }
}

/// What came, from a kernel of our version.
#[inline]
fn received(r: Registers) -> Result<Received, KernelError> {
    checked(r).and_then(|r| Received::from_registers(r).ok_or(KernelError::UnknownCall))
}

/// Who we are.
#[must_use]
pub fn info() -> Info {
    let r = plain(SystemCall::Info, []).unwrap_or_default();
    Info {
        service: ServiceId::from_raw(r[1]),
        pid: r[2] as u32,
        incarnation: Incarnation::new((r[2] >> 32) as u32),
        rights: Rights::from_raw(r[3] as u8),
        abi: (r[3] >> 32) as u32,
        ticks_per_second: r[4],
        pages_left: r[5] as usize,
    }
}

/// The slot that holds a capability.
///
/// # Errors
/// [`KernelError::NotFound`].
pub fn find(kind: CapabilityKind, key: ServiceId) -> Result<Slot, KernelError> {
    plain(SystemCall::Find, [kind.raw(), key.raw()]).map(|r| Slot(r[1]))
}

/// Hands over a request and goes on; [`receive`] will bring its completion.
///
/// # Errors
/// [`KernelError`]; nothing was handed over.
///
/// # Safety
/// `request` stays as it is, and nothing else uses `answer`, until the completion was received.
#[inline]
pub unsafe fn submit(
    to: Slot,
    request: *const [u8],
    answer: *mut [u8],
    tag: u64,
) -> Result<(), KernelError> {
    let a = frames(to.0, request, answer, tag);
    // SAFETY: the caller's promise.
    checked(unsafe { raw(SystemCall::Submit.raw(), a) }).map(drop)
}

#[inline]
fn frames(first: u64, request: *const [u8], answer: *mut [u8], last: u64) -> Registers {
    let (from, into) = (request.cast::<u8>() as u64, answer.cast::<u8>() as u64);
    [first, from, request.len() as u64, into, answer.len() as u64, last]
}

/// Hands over a request and waits for its answer, until `deadline` in ticks: the answer's length.
/// For programs that serve nobody.
///
/// # Errors
/// [`Failure`].
#[inline]
pub fn call(to: Slot, request: &[u8], answer: &mut [u8], deadline: u64) -> Result<usize, Failure> {
    let a = frames(to.0, request, answer, deadline);
    // SAFETY: both are borrowed until the call has ended, one way or another.
    let r = unsafe { raw(SystemCall::Call.raw(), a) };
    match received(r).map_err(Failure::Kernel)? {
        Received::Completion { result, .. } => result.map_err(Failure::Kernel),
        _ => Err(Failure::TimedOut),
    }
}

/// Waits for whatever comes next, until `deadline` in ticks.
///
/// # Errors
/// [`KernelError::BadAddress`], if the buffer is not ours.
#[inline]
pub fn receive(buffer: &mut Buffer, deadline: u64) -> Result<Received, KernelError> {
    let a = [buffer.as_mut_ptr() as u64, deadline, 0, 0, 0, 0];
    // SAFETY: the buffer is borrowed for as long as the kernel knows it.
    received(unsafe { raw(SystemCall::Receive.raw(), a) })
}

/// Waits for anything but requests, until `deadline` in ticks.
///
/// # Errors
/// None that a kernel of our version gives.
pub fn wait(deadline: u64) -> Result<Received, KernelError> {
    // SAFETY: without a buffer there is no pointer.
    received(unsafe { raw(SystemCall::Receive.raw(), [0, deadline, 0, 0, 0, 0]) })
}

/// Answers a request.
///
/// # Errors
/// [`KernelError::Gone`], or that the answer is no frame.
#[inline]
pub fn reply(token: u64, answer: &[u8]) -> Result<(), KernelError> {
    let a = [token, answer.as_ptr() as u64, answer.len() as u64, 0, 0, 0];
    // SAFETY: the kernel copies the answer before it returns.
    checked(unsafe { raw(SystemCall::Reply.raw(), a) }).map(drop)
}

/// [`reply`], then [`receive`] if that went well.
///
/// # Errors
/// As both.
#[inline]
pub fn reply_receive(
    token: u64,
    answer: &[u8],
    buffer: &mut Buffer,
    deadline: u64,
) -> Result<Received, KernelError> {
    let into = buffer.as_mut_ptr() as u64;
    let a = [token, answer.as_ptr() as u64, answer.len() as u64, into, deadline, 0];
    // SAFETY: as for `reply` and `receive`.
    received(unsafe { raw(SystemCall::ReplyReceive.raw(), a) })
}

/// Starts a life of a child, with those rights: its pid.
///
/// # Errors
/// [`KernelError`].
pub fn spawn(child: Slot, rights: Rights) -> Result<u32, KernelError> {
    plain(SystemCall::Spawn, [child.0, u64::from(rights.raw())]).map(|r| r[1] as u32)
}

/// Ends a child.
///
/// # Errors
/// [`KernelError`].
pub fn kill(child: Slot) -> Result<(), KernelError> {
    plain(SystemCall::Kill, [child.0]).map(drop)
}

/// Raises signals of a child.
///
/// # Errors
/// [`KernelError`].
pub fn signal(child: Slot, signals: Signals) -> Result<(), KernelError> {
    plain(SystemCall::Signal, [child.0, signals.0]).map(drop)
}

/// How a child is.
///
/// # Errors
/// [`KernelError::NoCapability`].
pub fn child(child: Slot) -> Result<ChildStatus, KernelError> {
    let [_, status @ ..] = plain(SystemCall::Child, [child.0])?;
    Ok(ChildStatus::from_registers(status))
}

/// Says that as many ends of a child, the oldest ones, need not be told to a later life of ours.
///
/// # Errors
/// [`KernelError::NoCapability`].
pub fn acknowledge(child: Slot, ends: u32) -> Result<(), KernelError> {
    plain(SystemCall::Acknowledge, [child.0, u64::from(ends)]).map(drop)
}

/// Adds pages of zeroes at the end of the heap: where they begin.
///
/// # Errors
/// [`KernelError`].
pub fn grow(pages: usize) -> Result<usize, KernelError> {
    plain(SystemCall::Grow, [pages as u64]).map(|r| r[1] as usize)
}

/// Maps what a capability stands for.
///
/// # Errors
/// [`KernelError`].
pub fn map(resource: Slot) -> Result<Mapping, KernelError> {
    let r = plain(SystemCall::Map, [resource.0])?;
    Ok(Mapping { address: r[1] as usize, bytes: r[2] as usize, physical: r[3] })
}

/// Lets an interrupt come, for the first time or again.
///
/// # Errors
/// [`KernelError::NoCapability`].
pub fn interrupt_done(interrupt: Slot) -> Result<(), KernelError> {
    plain(SystemCall::InterruptDone, [interrupt.0]).map(drop)
}

/// Writes a line on the console; what does not fit a line is left out.
///
/// # Errors
/// [`KernelError::NoCapability`].
pub fn print(console: Slot, line: fmt::Arguments<'_>) -> Result<(), KernelError> {
    let mut text = Line { bytes: [0; LINE_BYTES_MAX], len: 0 };
    let _cut_is_fine = text.write_fmt(line).is_ok();
    let a = [console.0, text.bytes.as_ptr() as u64, text.len as u64, 0, 0, 0];
    // SAFETY: the kernel copies the line before it returns.
    checked(unsafe { raw(SystemCall::Print.raw(), a) }).map(drop)
}

struct Line {
    bytes: [u8; LINE_BYTES_MAX],
    len: usize,
}

impl fmt::Write for Line {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let room = self.bytes.get_mut(self.len..).unwrap_or_default();
        let fits = room.len().min(text.len());
        room.iter_mut().zip(text.bytes()).for_each(|(place, byte)| *place = byte);
        self.len += fits;
        if fits == text.len() { Ok(()) } else { Err(fmt::Error) }
    }
}

/// Ends us.
pub fn exit(code: i32) -> ! {
    loop {
        // The kernel does not come back from it.
        let _never = plain(SystemCall::Exit, [u64::from(code.cast_unsigned())]);
    }
}

/// Stops the machine; whoever runs it learns the code, of 16 bits.
///
/// # Errors
/// [`KernelError::NoCapability`].
pub fn halt(power: Slot, code: u16) -> Result<(), KernelError> {
    plain(SystemCall::Halt, [power.0, u64::from(code)]).map(drop)
}
