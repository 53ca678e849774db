//! Calls as a transport, against a callee that dies, is behind, and answers late.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use nexus_abi::Incarnation;
use nexus_port::{CallError, CallLink, Caller, Closed, SendError, SubmitError, Transport};
use proptest::prelude::*;
use std::cell::{Cell, RefCell};
use std::rc::Rc;

/// What the callee's side sees.
#[derive(Default)]
struct Seen {
    refuse: Cell<Option<SubmitError>>,
    is_unknown: Cell<bool>,
    /// The frame that is under way.
    frame: RefCell<Option<Vec<u8>>>,
    answer: RefCell<Vec<u8>>,
}

struct Callee(Rc<Seen>);

impl Caller for Callee {
    fn is_known(&self) -> bool {
        !self.0.is_unknown.get()
    }

    fn submit(&mut self, frame: &[u8]) -> Result<(), SubmitError> {
        self.0.refuse.get().map_or(Ok(()), Err)?;
        let before = self.0.frame.replace(Some(frame.to_vec()));
        assert_eq!(before, None, "one call at a time");
        Ok(())
    }

    fn answer(&self, bytes: usize) -> &[u8] {
        // The answer of a test lives as long as the test.
        &Box::leak(self.0.answer.borrow().clone().into_boxed_slice())[..bytes]
    }
}

fn link() -> (Rc<Seen>, CallLink<Callee>) {
    let seen = Rc::new(Seen::default());
    (Rc::clone(&seen), CallLink::new(Callee(seen)))
}

fn answer(seen: &Seen, link: &mut CallLink<Callee>, life: u32) {
    let frame = seen.frame.take().unwrap();
    let bytes = frame.len();
    seen.answer.replace(frame);
    link.ended(Ok((bytes, Incarnation::new(life))));
}

fn receive(link: &mut CallLink<Callee>) -> Result<Option<Vec<u8>>, Closed> {
    let mut into = [0; 16];
    link.receive(&mut into).map(|got| got.map(|bytes| into[..bytes].to_vec()))
}

#[test]
fn a_frame_goes_and_its_answer_comes() {
    let (seen, mut link) = link();
    assert_eq!(link.send(b"a"), Err(SendError::Closed));
    link.connect().unwrap();
    assert_eq!(receive(&mut link), Ok(None));
    link.send(b"ab").unwrap();
    assert_eq!((link.send(b"c"), receive(&mut link)), (Err(SendError::Full), Ok(None)));
    answer(&seen, &mut link, 1);
    assert_eq!(link.send(b"c"), Err(SendError::Full), "its place is not read yet");
    assert_eq!(receive(&mut link), Ok(Some(b"ab".to_vec())));
    assert_eq!(receive(&mut link), Ok(None));
    link.send(b"c").unwrap();
}

#[test]
fn who_may_not_be_called_or_does_not_serve_is_no_connection() {
    let (seen, mut link) = link();
    seen.is_unknown.set(true);
    assert_eq!(link.connect(), Err(Closed));
    seen.is_unknown.set(false);
    link.connect().unwrap();
    seen.refuse.set(Some(SubmitError::NotReady));
    assert_eq!(link.send(b"a"), Err(SendError::Closed));
    assert!(!link.is_connected());
}

#[test]
fn while_all_calls_of_the_process_are_under_way_the_connection_stays() {
    let (seen, mut link) = link();
    link.connect().unwrap();
    seen.refuse.set(Some(SubmitError::Busy));
    assert_eq!(link.send(b"a"), Err(SendError::Full));
    seen.refuse.set(None);
    link.send(b"a").unwrap();
}

#[test]
fn the_answer_of_another_life_ends_the_connection_unread() {
    let (seen, mut link) = link();
    link.connect().unwrap();
    for (life, expected) in [(1, Ok(Some(b"a".to_vec()))), (1, Ok(Some(b"a".to_vec())))] {
        link.send(b"a").unwrap();
        answer(&seen, &mut link, life);
        assert_eq!(receive(&mut link), expected);
    }
    link.send(b"a").unwrap();
    answer(&seen, &mut link, 2);
    assert_eq!(receive(&mut link), Err(Closed));
    link.connect().unwrap();
    link.send(b"b").unwrap();
    answer(&seen, &mut link, 2);
    assert_eq!(receive(&mut link), Ok(Some(b"b".to_vec())));
}

#[test]
fn a_call_that_was_given_up_keeps_its_place_until_it_ends_and_its_answer_is_nobodys() {
    let (seen, mut link) = link();
    link.connect().unwrap();
    link.send(b"a").unwrap();
    link.close();
    assert_eq!((link.connect(), link.send(b"b")), (Err(Closed), Err(SendError::Closed)));
    answer(&seen, &mut link, 1);
    assert_eq!(receive(&mut link), Err(Closed));
    link.connect().unwrap();
    assert_eq!(receive(&mut link), Ok(None));
}

#[test]
fn an_answer_that_is_too_long_breaks_the_connection() {
    let (seen, mut link) = link();
    link.connect().unwrap();
    link.send(&[7; 17]).unwrap();
    answer(&seen, &mut link, 1);
    assert_eq!(receive(&mut link), Err(Closed));
    assert!(!link.is_connected());
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Connect,
    Close,
    Send(u8),
    Receive,
    Answer(u32),
    Die,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        Just(Step::Connect),
        Just(Step::Close),
        any::<u8>().prop_map(Step::Send),
        Just(Step::Receive),
        (1_u32..3).prop_map(Step::Answer),
        Just(Step::Die),
    ]
}

proptest! {
    /// Every answer that is received is the one to the frame that was accepted last, on the
    /// connection it was accepted on, and by the life that answers all of that connection.
    #[test]
    fn answers_belong_to_their_frames_connections_and_lives(
        steps in prop::collection::vec(step(), 0..100)
    ) {
        let (seen, mut link) = link();
        // Frame and connection of what is under way; of what was answered also the life.
        let (mut connection, mut accepted, mut came) = (0, None, None);
        let mut lives = std::collections::BTreeMap::new();
        for step in steps {
            match step {
                Step::Connect => connection += u32::from(link.connect().is_ok()),
                Step::Close => {
                    link.close();
                    connection += 1;
                }
                Step::Send(byte) => {
                    if link.send(&[byte]).is_ok() {
                        accepted = Some((byte, connection));
                    }
                }
                Step::Answer(life) if seen.frame.borrow().is_some() => {
                    answer(&seen, &mut link, life);
                    came = accepted.take().map(|(byte, of)| (byte, of, life));
                }
                Step::Die if seen.frame.take().is_some() => {
                    link.ended(Err(CallError::PeerDied));
                    prop_assert!(!link.is_connected());
                    accepted = None;
                }
                Step::Receive => if let Ok(Some(got)) = receive(&mut link) {
                    let (byte, of, life) = came.take().unwrap();
                    prop_assert_eq!((got, of), (vec![byte], connection));
                    prop_assert_eq!(*lives.entry(connection).or_insert(life), life);
                }
                Step::Answer(_) | Step::Die => {}
            }
        }
    }
}
