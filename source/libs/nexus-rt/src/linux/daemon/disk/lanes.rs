//! What lies between the daemon's loop and its disk thread: a few calls, each in its own place.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use nexus_abi::FRAME_BYTES_MAX;
use nexus_port::{CallId, SubmitError, Token};
use rustix::event::{EventfdFlags, eventfd};

use super::super::calls::Answer;
use crate::linux::socket::FrameBuffer;

/// Calls that may be under way at a time.
pub(super) const CALLS_MAX: usize = 8;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    Free,
    /// The frame is the daemon's.
    Asked,
    /// The service has it.
    Taken,
    /// The frame is the service's answer.
    Answered,
    /// The thread ended before there was an answer.
    Died,
}

/// One call.
pub(super) struct Lane {
    state: State,
    call: CallId,
    /// How many calls there were before it, so that the oldest is found.
    came: u64,
    len: usize,
    frame: FrameBuffer,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Thread {
    Serving,
    Ended,
    Died,
}

/// What the thread did to its device.
#[derive(Clone, Copy, Default)]
pub(super) struct Totals {
    pub(super) reads: u64,
    pub(super) writes: u64,
    pub(super) bytes_written: u64,
    pub(super) syncs: u64,
    pub(super) failed: u64,
}

/// What the daemon's loop is to be told when the thread has nothing to do.
pub(super) enum Next {
    /// A call; its frame has so many bytes.
    Call(Token, usize),
    /// The daemon ends.
    Stop,
    /// Nothing came in time.
    Nothing,
}

/// All of it, under one lock that nobody holds for longer than a frame is copied.
pub(super) struct Lanes {
    lanes: Box<[Lane]>,
    came: u64,
    is_stop_asked: bool,
    is_stop_told: bool,
    thread: Thread,
    busy: u64,
    pub(super) totals: Totals,
}

impl Lanes {
    fn new() -> Self {
        let lane = |_| Lane {
            state: State::Free,
            call: CallId(0),
            came: 0,
            len: 0,
            frame: [0; FRAME_BYTES_MAX],
        };
        Self {
            lanes: (0..CALLS_MAX).map(lane).collect(),
            came: 0,
            is_stop_asked: false,
            is_stop_told: false,
            thread: Thread::Serving,
            busy: 0,
            totals: Totals::default(),
        }
    }

    /// Puts a call into a free lane.
    pub(super) fn ask(&mut self, call: CallId, frame: &[u8]) -> Result<(), SubmitError> {
        if self.thread != Thread::Serving {
            return Err(SubmitError::NotReady);
        }
        let Some(lane) = self.lanes.iter_mut().find(|lane| lane.state == State::Free) else {
            self.busy += 1;
            return Err(SubmitError::Busy);
        };
        self.came += 1;
        (lane.state, lane.call, lane.came) = (State::Asked, call, self.came);
        lane.fill(frame);
        Ok(())
    }

    /// Takes the oldest call, whose frame goes to `frame`.
    fn next_call(&mut self, frame: &mut FrameBuffer) -> Option<Next> {
        let asked = self.lanes.iter_mut().enumerate().filter(|(_, it)| it.state == State::Asked);
        let (at, lane) = asked.min_by_key(|(_, lane)| lane.came)?;
        lane.state = State::Taken;
        frame[..lane.len].copy_from_slice(&lane.frame[..lane.len]);
        Some(Next::Call(Token::from_raw(at as u64), lane.len))
    }

    fn next_stop(&mut self) -> Option<Next> {
        let is_news = self.is_stop_asked && !self.is_stop_told;
        self.is_stop_told |= is_news;
        is_news.then_some(Next::Stop)
    }

    /// Puts the answer to a call where the call was.
    fn answer(&mut self, token: Token, frame: &[u8]) {
        let lane = usize::try_from(token.raw()).ok().and_then(|at| self.lanes.get_mut(at));
        let lane = lane.filter(|lane| lane.state == State::Taken);
        assert!(lane.is_some(), "a call is answered once");
        if let Some(lane) = lane {
            lane.state = State::Answered;
            lane.fill(frame);
        }
    }

    /// The next call that is over; its place is free, and its answer at the front of `frame`.
    pub(super) fn next_answer(&mut self, frame: &mut FrameBuffer) -> Option<Answer> {
        let is_over = |lane: &&mut Lane| matches!(lane.state, State::Answered | State::Died);
        let lane = self.lanes.iter_mut().filter(is_over).min_by_key(|lane| lane.came)?;
        let died = lane.state == State::Died;
        lane.state = State::Free;
        if died {
            return Some(Answer::Died(lane.call));
        }
        frame[..lane.len].copy_from_slice(&lane.frame[..lane.len]);
        Some(Answer::Frame(lane.call, lane.len))
    }

    /// The daemon ends; `true` once the thread has ended, too.
    pub(super) fn stop(&mut self) -> bool {
        self.is_stop_asked = true;
        self.thread != Thread::Serving
    }

    pub(super) fn has_died(&self) -> bool {
        self.thread == Thread::Died
    }

    /// The thread ends: what it has not answered it never will.
    fn end(&mut self, in_panic: bool) {
        self.thread = if in_panic { Thread::Died } else { Thread::Ended };
        for lane in &mut self.lanes {
            if matches!(lane.state, State::Asked | State::Taken) {
                lane.state = State::Died;
            }
        }
    }

    pub(super) fn status(&self, out: &mut dyn FnMut(&str, u64)) {
        let Totals { reads, writes, bytes_written, syncs, failed } = self.totals;
        out("port_disk_busy", self.busy);
        out("port_disk_bytes_written", bytes_written);
        out("port_disk_calls", self.came);
        out("port_disk_died", u64::from(self.has_died()));
        out("port_disk_failed", failed);
        out("port_disk_reads", reads);
        out("port_disk_syncs", syncs);
        out("port_disk_writes", writes);
    }
}

impl Lane {
    fn fill(&mut self, frame: &[u8]) {
        self.frame[..frame.len()].copy_from_slice(frame);
        self.len = frame.len();
    }
}

/// The lanes and how both sides wake each other.
pub(super) struct Shared {
    lanes: Mutex<Lanes>,
    /// There is something for the thread to do.
    pub(super) work: Condvar,
    /// Readable when there is something for the loop to see.
    pub(super) answers: OwnedFd,
}

impl Shared {
    pub(super) fn new() -> io::Result<Self> {
        let answers = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        Ok(Self { lanes: Mutex::new(Lanes::new()), work: Condvar::new(), answers })
    }

    /// The lock's holder does nothing that could panic half done, so a poisoned one is sound.
    pub(super) fn lanes(&self) -> MutexGuard<'_, Lanes> {
        self.lanes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the thread is to do next, for which it waits as long as `patience` allows; for ever if
    /// there is none.
    pub(super) fn next(&self, patience: Option<Duration>, frame: &mut FrameBuffer) -> Next {
        let is_idle = |lanes: &mut Lanes| {
            let is_asked = lanes.lanes.iter().any(|lane| lane.state == State::Asked);
            !is_asked && (!lanes.is_stop_asked || lanes.is_stop_told)
        };
        let mut lanes = match patience {
            None => {
                self.work.wait_while(self.lanes(), is_idle).unwrap_or_else(PoisonError::into_inner)
            }
            Some(patience) => {
                let waited = self.work.wait_timeout_while(self.lanes(), patience, is_idle);
                waited.unwrap_or_else(PoisonError::into_inner).0
            }
        };
        // What was asked before the end is done before it.
        let next = lanes.next_call(frame).or_else(|| lanes.next_stop());
        next.unwrap_or(Next::Nothing)
    }

    /// Gives the answer to a call and wakes the loop.
    pub(super) fn answer(&self, token: Token, frame: &[u8]) {
        self.lanes().answer(token, frame);
        self.wake();
    }

    /// The thread ends, in good order or by a panic; the loop is woken to see it.
    pub(super) fn end(&self, in_panic: bool) {
        self.lanes().end(in_panic);
        self.wake();
    }

    /// It fails only where the loop has been woken so often that one more changes nothing.
    fn wake(&self) {
        let _is_woken = rustix::io::write(&self.answers, &1_u64.to_ne_bytes()).is_ok();
    }

    /// Forgets wake-ups; where there were none, nothing is to be forgotten.
    pub(super) fn drain(&self) {
        let _was_woken = rustix::io::read(&self.answers, &mut [0; 8]).is_ok();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame() -> Box<FrameBuffer> {
        Box::new([0; FRAME_BYTES_MAX])
    }

    fn call(next: Next) -> Option<(Token, usize)> {
        match next {
            Next::Call(token, len) => Some((token, len)),
            Next::Stop | Next::Nothing => None,
        }
    }

    #[test]
    fn calls_are_taken_in_their_order_and_answered_in_any() -> io::Result<()> {
        let (shared, mut buffer) = (Shared::new()?, frame());
        for n in 0..3_u8 {
            assert_eq!(shared.lanes().ask(CallId(n.into()), &[n; 3]), Ok(()));
        }
        let mut taken = Vec::new();
        for n in 0..3_u8 {
            taken.extend(call(shared.next(None, &mut buffer)));
            assert_eq!(buffer[..3], [n; 3]);
        }
        let tokens = taken.iter().map(|(token, _)| *token).collect::<Vec<_>>();
        shared.answer(tokens[2], b"third");
        shared.answer(tokens[0], b"");
        let mut answers = Vec::new();
        while let Some(Answer::Frame(call, len)) = shared.lanes().next_answer(&mut buffer) {
            answers.push((call.0, buffer[..len].to_vec()));
        }
        assert_eq!(answers, [(0, b"".to_vec()), (2, b"third".to_vec())]);
        Ok(())
    }

    #[test]
    fn a_call_beyond_the_places_is_busy_until_one_was_answered() -> io::Result<()> {
        let (shared, mut buffer) = (Shared::new()?, frame());
        for n in 0..CALLS_MAX as u32 {
            assert_eq!(shared.lanes().ask(CallId(n), b"x"), Ok(()));
        }
        assert_eq!(shared.lanes().ask(CallId(99), b"x"), Err(SubmitError::Busy));
        let token = call(shared.next(None, &mut buffer)).map(|(token, _)| token);
        assert_eq!(shared.lanes().ask(CallId(99), b"x"), Err(SubmitError::Busy));
        token.into_iter().for_each(|token| shared.answer(token, b"y"));
        assert_eq!(shared.lanes().ask(CallId(99), b"x"), Err(SubmitError::Busy));
        assert!(shared.lanes().next_answer(&mut buffer).is_some());
        assert_eq!(shared.lanes().ask(CallId(99), b"x"), Ok(()));
        Ok(())
    }

    #[test]
    fn a_thread_that_dies_ends_every_call_once_and_takes_no_more() -> io::Result<()> {
        let (shared, mut buffer) = (Shared::new()?, frame());
        for n in 0..3 {
            assert_eq!(shared.lanes().ask(CallId(n), b"x"), Ok(()));
        }
        let token = call(shared.next(None, &mut buffer)).map(|(token, _)| token);
        token.into_iter().for_each(|token| shared.answer(token, b"y"));
        assert!(call(shared.next(None, &mut buffer)).is_some());
        shared.end(true);
        let mut ends = Vec::new();
        while let Some(answer) = shared.lanes().next_answer(&mut buffer) {
            ends.push(match answer {
                Answer::Frame(call, _) => (call.0, true),
                Answer::Died(call) => (call.0, false),
            });
        }
        assert_eq!(ends, [(0, true), (1, false), (2, false)]);
        assert_eq!(shared.lanes().ask(CallId(4), b"x"), Err(SubmitError::NotReady));
        assert!(shared.lanes().has_died() && shared.lanes().stop());
        Ok(())
    }

    #[test]
    fn what_was_asked_before_the_end_comes_before_it() -> io::Result<()> {
        let (shared, mut buffer) = (Shared::new()?, frame());
        assert_eq!(shared.lanes().ask(CallId(1), b"x"), Ok(()));
        assert!(!shared.lanes().stop());
        assert!(call(shared.next(None, &mut buffer)).is_some());
        assert!(matches!(shared.next(None, &mut buffer), Next::Stop));
        let again = shared.next(Some(Duration::ZERO), &mut buffer);
        assert!(matches!(again, Next::Nothing), "it is told once");
        Ok(())
    }
}
