//! A logd that stores something in the place of each record that it must refuse.

use logd::Logd;
use nexus_abi::{FRAME_BYTES_MAX, ServiceId};
use nexus_bounded::Mono;
use nexus_port::{CallId, Event, Now, Service, SubmitError, Token, World};
use nexus_wire::logs::{self, Head, NewRecord, RecordText, Request, Version};
use nexus_wire::{Level, LogStatus};

/// Where the status stands in an answer.
const STATUS: usize = 4;

/// What is stored: fields that claim nothing and are canonical, as logd itself keeps no others.
const STORED: NewRecord<'static> =
    NewRecord { level: Level::Info, scope: "selftest", message: "good", fields: b"" };

/// A logd whose guard keeps nothing out.
pub struct Lenient {
    /// The service.
    pub logd: Logd,
    /// Whether it says that it refused nevertheless.
    pub says_refused: bool,
}

/// Keeps an answer, and what is said meanwhile, to itself.
struct Heard {
    answer: [u8; FRAME_BYTES_MAX],
    length: usize,
    said: Option<Line>,
}

/// A line of a service.
type Line = nexus_bounded::Text<64>;

impl World for Heard {
    fn reply(&mut self, _token: Token, frame: &[u8]) {
        self.length = frame.len();
        self.answer.iter_mut().zip(frame).for_each(|(to, from)| *to = *from);
    }

    fn submit(&mut self, _: ServiceId, _: CallId, _: &[u8]) -> Result<(), SubmitError> {
        Err(SubmitError::NotReady)
    }

    fn print(&mut self, line: &str) {
        let mut text = Line::EMPTY;
        let written = core::fmt::Write::write_str(&mut text, line);
        assert!(written.is_ok(), "a service says short lines");
        self.said = Some(text);
    }
}

impl Heard {
    const NOTHING: Self = Self { answer: [0; FRAME_BYTES_MAX], length: 0, said: None };

    fn answer(&self) -> &[u8] {
        self.answer.get(..self.length).unwrap_or_default()
    }

    fn is_a_refusal(&self) -> bool {
        let status = self.answer().get(STATUS).copied().and_then(LogStatus::from_raw);
        matches!(status, Some(LogStatus::InvalidArgs | LogStatus::OverLimit))
    }

    fn tell(&self, token: Token, world: &mut impl World) {
        if let Some(said) = &self.said {
            world.print(said.as_str());
        }
        world.reply(token, self.answer());
    }
}

/// A request that logd takes, in the place of one that it does not.
fn good<'b>(refused: &[u8], out: &'b mut [u8]) -> &'b [u8] {
    let head = logs::open(refused).map_or(Head { version: Version::V2, nonce: 0 }, |it| it.head());
    let mut text: RecordText = [0; size_of::<RecordText>()];
    let frame = STORED.join(&mut text).and_then(|it| logs::encode(&Request::Append(it), head, out));
    frame.unwrap_or_default()
}

impl Service for Lenient {
    fn handle(&mut self, now: Now, event: Event<'_>, world: &mut impl World) {
        let Event::Request { from, token, frame } = event else {
            return self.logd.handle(now, event, world);
        };
        let mut verdict = Heard::NOTHING;
        self.logd.handle(now, event, &mut verdict);
        if !verdict.is_a_refusal() {
            return verdict.tell(token, world);
        }
        let (mut room, mut stored) = ([0; FRAME_BYTES_MAX], Heard::NOTHING);
        let frame = good(frame, &mut room);
        self.logd.handle(now, Event::Request { from, token, frame }, &mut stored);
        if self.says_refused { verdict.tell(token, world) } else { stored.tell(token, world) }
    }

    fn deadline(&self) -> Option<Mono> {
        self.logd.deadline()
    }

    fn stopped(&self) -> bool {
        self.logd.stopped()
    }
}
