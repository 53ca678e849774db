//! Servers, good and bad.

use nexus_abi::kernel::{KernelError, NEVER, Received};
use nexus_abi::{FRAME_BYTES_MAX, Sender};
use nexus_rt::os::calls::{self, Buffer};

use crate::bench::Aligned;

const EMPTY: Buffer = [0; FRAME_BYTES_MAX];

/// The next request: its token and length. Whatever else comes is not for these servers.
pub(crate) fn next(buffer: &mut Buffer) -> (u64, usize) {
    loop {
        if let Ok(Received::Request { token, bytes, .. }) = calls::receive(buffer, NEVER) {
            return (token, bytes);
        }
    }
}

/// Answers with the stamp of whoever asks (service, pid, incarnation, rights) and then what they
/// said.
pub(crate) fn echo() -> i32 {
    let (mut buffer, mut answer) = (EMPTY, EMPTY);
    loop {
        let Ok(received) = calls::receive(&mut buffer, NEVER) else { return 1 };
        if let Received::Request { token, bytes, from } = received {
            let length = (bytes + STAMP).min(FRAME_BYTES_MAX);
            answer[..STAMP].copy_from_slice(&stamp(&from));
            answer[STAMP..length].copy_from_slice(&buffer[..length - STAMP]);
            let _asker_may_be_gone = calls::reply(token, &answer[..length]);
        }
    }
}

/// Bytes of the stamp before an echo.
pub(crate) const STAMP: usize = 8 + 4 + 4 + 1;

/// All that the kernel says of a sender.
pub(crate) fn stamp(from: &Sender) -> [u8; STAMP] {
    let mut stamp = [0; STAMP];
    stamp[..8].copy_from_slice(&from.service().raw().to_le_bytes());
    stamp[8..12].copy_from_slice(&from.pid.to_le_bytes());
    stamp[12..16].copy_from_slice(&from.incarnation.raw().to_le_bytes());
    stamp[16] = from.rights.raw();
    stamp
}

/// Answers with as many bytes as it was sent, and does nothing else.
pub(crate) fn mirror() -> i32 {
    static ANSWER: Aligned = Aligned([9; FRAME_BYTES_MAX]);
    let mut buffer = Aligned(EMPTY);
    let (mut token, mut bytes) = next(&mut buffer.0);
    loop {
        match calls::reply_receive(token, &ANSWER.0[..bytes], &mut buffer.0, NEVER) {
            Ok(Received::Request { token: next, bytes: length, .. }) => {
                (token, bytes) = (next, length);
            }
            _ => (token, bytes) = next(&mut buffer.0),
        }
    }
}

/// Keeps every first request until the second has come; answers that with how the late answer to
/// the first went.
pub(crate) fn silent() -> i32 {
    let mut buffer = EMPTY;
    loop {
        let (first, _) = next(&mut buffer);
        let (second, _) = next(&mut buffer);
        let late = calls::reply(first, b"late");
        let _second_waits = calls::reply(second, &[error(late)]);
    }
}

/// Answers every first request twice; answers the second with how the repetition went.
pub(crate) fn twice() -> i32 {
    let mut buffer = EMPTY;
    loop {
        let (first, _) = next(&mut buffer);
        let _once = calls::reply(first, b"once");
        let again = calls::reply(first, b"again");
        let (second, _) = next(&mut buffer);
        let _second_waits = calls::reply(second, &[error(again)]);
    }
}

/// The error's number as an answer, 0 for none.
pub(crate) fn error(result: Result<(), KernelError>) -> u8 {
    result.map_or_else(|error| error.raw() as u8, |()| 0)
}

/// Dies of the first request.
pub(crate) fn mortal() -> i32 {
    next(&mut { EMPTY });
    7
}
