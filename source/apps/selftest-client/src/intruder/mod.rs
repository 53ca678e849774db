//! Somebody who may call everybody and do nothing: it asks for what it may not read, claims to be
//! the selftest, and ends and uses what the selftest has. Each try has to be refused for its
//! reason, and no answer may tell more than that.
//!
//! It runs as a process of its own while the selftest has something of everything, and knows of
//! that what anybody can: what the selftest is called, and that numbers are made by counting.

mod reads;
mod takes;

use core::fmt::Write as _;

use nexus_abi::ServiceId;
use nexus_bounded::Text;
use nexus_wire::Level;
use nexus_wire::logs::NewRecord;

pub(crate) use reads::{
    ASKED_OF_OTHERS, LOGD_DENIED, LOGD_OTHERS, METRICSD_DENIED, METRICSD_OTHERS,
};
pub(crate) use takes::{PIDS, SESSIONS, TIMERS};

use crate::talk::Talk;
use crate::{Client, Why};

/// As which entry of the image it runs.
pub(crate) const INTRUDER: ServiceId = ServiceId::from_name("demo-intruder");
/// Whose things it is after.
const VICTIM: ServiceId = ServiceId::from_name("selftest-client");
/// The scope of its record.
pub(crate) const SCOPE: &str = "intruder";
/// What it says when nothing was done for it.
pub(crate) const REFUSED: &str = "all was refused";

/// What it ends with when it cannot say so.
const UNSAID: i32 = 64;

const NO_FRAME: Why = "no such frame";
/// Bytes of the longest try.
const TRY_BYTES_MAX: usize = 256;

/// Bytes of entropy that it shows, so that it can be seen that nobody else was given them.
pub(crate) const SHOWN_BYTES: usize = 8;

/// All that it tries of one service.
type Tries = fn(&mut Intruder<'_, '_>) -> Result<(), Why>;

/// Whom it tries; what it ends with is the place of the first who does not refuse, counted from 1.
const TRIES: [Tries; 9] = [
    reads::journal,
    reads::metrics,
    reads::files,
    reads::decisions,
    takes::timers,
    takes::bundles,
    takes::programs,
    takes::sessions,
    takes::entropy,
];

/// Tries everything, and logs what came of it: 0 if all was refused, else what the process is to
/// end with, from 1 to 64.
pub fn intrude(client: &mut dyn Client) -> i32 {
    let mut talk = Talk::new(client);
    let mut it = Intruder { talk: &mut talk, given: Text::EMPTY };
    for (code, tries) in (1..).zip(TRIES) {
        if let Err(why) = tries(&mut it) {
            return it.says(Level::Error, why).map_or(UNSAID, |()| code);
        }
    }
    it.says(Level::Info, REFUSED).map_or(UNSAID, |()| 0)
}

struct Intruder<'t, 'c> {
    talk: &'t mut Talk<'c>,
    /// The first bytes of entropy that it was given, as digits.
    given: Text<{ 2 * SHOWN_BYTES }>,
}

/// Bytes as it shows them.
pub(crate) fn digits(bytes: &[u8]) -> Text<{ 2 * SHOWN_BYTES }> {
    let mut text = Text::EMPTY;
    for byte in bytes.iter().take(SHOWN_BYTES) {
        let written = write!(text, "{byte:02x}");
        assert!(written.is_ok(), "there is room for them");
    }
    text
}

impl Intruder<'_, '_> {
    fn says(&mut self, level: Level, message: &str) -> Result<(), Why> {
        let mut fields = Text::<64>::EMPTY;
        writeln!(fields, "given={}", self.given.as_str()).map_err(|_| "too long")?;
        let record = NewRecord { level, scope: SCOPE, message, fields: fields.as_str().as_bytes() };
        self.talk.append_good(record).map(|_id| ())
    }

    /// Hands a frame over, which must be answered with one of these statuses and nothing else: what
    /// is behind the first `head` bytes of the answer, if anything, is 0.
    fn refuses(
        &mut self,
        who: ServiceId,
        frame: &[u8],
        (statuses, head): (&[u8], usize),
        or: Why,
    ) -> Result<(), Why> {
        let answer = self.talk.send(who, frame)?;
        let is_refusal = answer.get(STATUS).is_some_and(|status| statuses.contains(status));
        let tells = answer.iter().skip(head).any(|byte| *byte != 0);
        if is_refusal && !tells { Ok(()) } else { Err(or) }
    }
}

/// Where the status stands in every answer.
const STATUS: usize = 4;
/// Bytes up to what an answer tells, where its nonce has four bytes.
const HEAD: usize = 9;

/// The front of a buffer that a frame was written to.
fn front<E>(encoded: Result<&[u8], E>) -> Result<&[u8], Why> {
    encoded.map_err(|_| NO_FRAME)
}
