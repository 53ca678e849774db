//! Processes that misuse servers, and servers that misuse their clients.
#![expect(unsafe_code, reason = "leaves calls open")]

use nexus_abi::kernel::{KernelError, NEVER, Received};
use nexus_abi::{FRAME_BYTES_MAX, ServiceId};
use nexus_rt::os::Clock;
use nexus_rt::os::calls::{self, Failure, Slot};

use crate::judge::PATIENCE_MILLIS;
use crate::role::{self, Case, server};
use crate::servers::STAMP;

pub(crate) const CASES: &[Case] = &[
    Case::exits("forges_a_stamp", forges_a_stamp),
    Case::exits("forges_answers", forges_answers),
    Case::exits("calls_a_silent_server", calls_a_silent_server).with(&["silent"]),
    Case::exits("is_answered_twice", is_answered_twice).with(&["twice"]),
    Case::exits("calls_a_dying_server", calls_a_dying_server).with(&["mortal"]),
    Case::exits("leaves_no_room_for_answers", leaves_no_room_for_answers),
    Case::exits("submits_more_than_it_may", submits_more_than_it_may),
    Case::exits("dies_with_calls_open", dies_with_calls_open),
    Case::exits("takes_no_requests_for_a_while", takes_no_requests_for_a_while),
    Case::is_killed("floods_a_server", floods_a_server),
];

/// How long we wait for an answer that never comes.
const SILENCE_MILLIS: u64 = 20;

/// An answer to a short request, or why there is none.
pub(crate) fn asked<'a>(
    name: &str,
    request: &[u8],
    answer: &'a mut [u8],
) -> Result<&'a [u8], Failure> {
    asked_for(PATIENCE_MILLIS, name, request, answer)
}

fn asked_for<'a>(
    millis: u64,
    name: &str,
    request: &[u8],
    answer: &'a mut [u8],
) -> Result<&'a [u8], Failure> {
    let length = calls::call(server(name), request, answer, Clock::new().in_millis(millis))?;
    Ok(&answer[..length])
}

/// The server knows who we are, whatever we say.
fn forges_a_stamp() -> i32 {
    let judge = ServiceId::from_name("judge").raw().to_le_bytes();
    let mut answer = [0; 64];
    let Ok(answer) = asked("echo", &judge, &mut answer) else { return 100 };
    let me = calls::info();
    let (pid, incarnation) = (me.pid.to_le_bytes(), me.incarnation.raw().to_le_bytes());
    role::all([
        answer[..8] == me.service.raw().to_le_bytes(),
        answer[8..12] == pid && me.pid > 0,
        answer[12..16] == incarnation && me.incarnation.raw() > 0,
        answer[16] == me.rights.raw(),
        answer[STAMP..] == judge,
    ])
}

/// Nobody else's requests can be answered, however their tokens are guessed.
fn forges_answers() -> i32 {
    let guesses = (0..64).flat_map(|process| (0..4).map(move |slot| process << 16 | slot));
    let mut tokens = guesses.flat_map(|place| (0..64).map(move |life| life << 32 | place));
    role::all([tokens.all(|token| calls::reply(token, b"forged") == Err(KernelError::Gone))])
}

fn calls_a_silent_server() -> i32 {
    let mut answer = [0; 64];
    let first = asked_for(SILENCE_MILLIS, "silent", b"first", &mut answer).map(drop);
    let late = asked("silent", b"second", &mut answer) == Ok(&[KernelError::Gone.raw() as u8]);
    role::all([first == Err(Failure::TimedOut), late])
}

fn is_answered_twice() -> i32 {
    let mut answer = [0; 64];
    let first = asked("twice", b"first", &mut answer) == Ok(b"once");
    let again = asked("twice", b"second", &mut answer) == Ok(&[KernelError::Gone.raw() as u8]);
    role::all([first, again])
}

fn calls_a_dying_server() -> i32 {
    let mut answer = [0; 64];
    let died = asked("mortal", b"die", &mut answer).map(drop);
    let after = asked("mortal", b"dead?", &mut answer).map(drop);
    role::all([
        died == Err(Failure::Kernel(KernelError::PeerDied)),
        after == Err(Failure::Kernel(KernelError::NotReady)),
    ])
}

fn leaves_no_room_for_answers() -> i32 {
    let mut answer = [0xaa; 64];
    let short = calls::call(server("echo"), b"four", &mut answer[..STAMP + 3], NEVER);
    let none = calls::call(server("echo"), b"", &mut [], NEVER);
    let too_long = Err(Failure::Kernel(KernelError::AnswerTooLong));
    role::all([short == too_long, none == too_long, answer == [0xaa; 64]])
}

static REQUEST: [u8; 16] = [7; 16];

/// Hands a request to a server and does not wait.
fn leave(name: &str, tag: u64) -> Result<(), KernelError> {
    leave_at(server(name), tag)
}

fn leave_at(server: Slot, tag: u64) -> Result<(), KernelError> {
    static mut ANSWERS: [u8; FRAME_BYTES_MAX] = [0; FRAME_BYTES_MAX];
    let answer = core::ptr::slice_from_raw_parts_mut(&raw mut ANSWERS as *mut u8, FRAME_BYTES_MAX);
    // SAFETY: the request is constant, and nothing ever reads the place for the answers.
    unsafe { calls::submit(server, &REQUEST, answer, tag) }
}

fn submits_more_than_it_may() -> i32 {
    let four = (0..4).all(|tag| leave("echo", tag).is_ok());
    let fifth = leave("echo", 4) == Err(KernelError::Busy);
    let in_order = (0..4).all(|expected| {
        let next = calls::wait(NEVER);
        matches!(next, Ok(Received::Completion { tag, result: Ok(_), .. }) if tag == expected)
    });
    let no_more = calls::wait(0) == Ok(Received::Deadline);
    role::all([four, fifth, in_order, no_more, leave("echo", 5).is_ok()])
}

/// The server has received one request and not the others, or none.
fn dies_with_calls_open() -> i32 {
    role::all((0..4).map(|tag| leave("silent", tag).is_ok()))
}

/// A place for requests is given, or is not, each time anew.
fn takes_no_requests_for_a_while() -> i32 {
    let mut buffer = [0; FRAME_BYTES_MAX];
    let nothing = Ok(Received::Deadline);
    let mut takes = || calls::receive(&mut buffer, 0) == nothing;
    role::all([takes(), calls::wait(0) == nothing, takes(), calls::wait(0) == nothing])
}

/// Never stops asking. The judge's own calls come through nevertheless.
fn floods_a_server() -> i32 {
    flood(server("echo"))
}

/// The same to a service of the system: the only one that the image lets it call.
pub(crate) fn floods_a_service() -> i32 {
    flood(Slot(0))
}

fn flood(server: Slot) -> i32 {
    loop {
        while leave_at(server, 0).is_ok() {}
        let _completion = calls::wait(NEVER);
    }
}
