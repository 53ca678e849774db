//! policyd allows what its table grants and nothing else, whoever somebody claims to be; what it
//! counts and what it records of that come back from logd as exactly.

use core::fmt::Write as _;

use nexus_abi::{FRAME_BYTES_MAX, ServiceId};
use nexus_bounded::{Mono, Text};
use nexus_wire::Level;
use nexus_wire::logs::Record;
use nexus_wire::policy::{Action, Check, Decision, Frame, Object, PolicyStatus};
use nexus_wire::policy::{decode_reply, encode};

use crate::Why;
use crate::journal::has;
use crate::metrics::{COUNTER, NO_UNIT};
use crate::series::{Metric, Series, told};
use crate::spans::shown;
use crate::talk::Talk;

pub(crate) const POLICYD: ServiceId = ServiceId::from_name("policyd");

/// Us, as the policy names us.
const ME: &str = "selftest-client";

/// May somebody do that?
struct Question {
    subject: &'static str,
    action: Action,
    object: &'static str,
    decision: Decision,
}

const fn question(
    subject: &'static str,
    action: Action,
    object: &'static str,
    decision: Decision,
) -> Question {
    Question { subject, action, object, decision }
}

/// What `recipes/system/policy.toml` says of us; and about others we may not ask, whatever they
/// may, nor as them. All denials have records: they are fewer than policyd records at once.
const QUESTIONS: [Question; 11] = [
    question(ME, Action::ReadLogs, "", Decision::Allowed),
    question(ME, Action::ScrapeMetrics, "", Decision::Allowed),
    question(ME, Action::WriteState, "selftest-client/a/b", Decision::Allowed),
    question(ME, Action::WriteState, "metricsd/a", Decision::NotGranted),
    question(ME, Action::WriteState, "selftest-client/../logd/a", Decision::NotGranted),
    question(ME, Action::Spawn, "bundle.of.nobody", Decision::NotGranted),
    question(ME, Action::OpenSession, "init", Decision::NotGranted),
    question(ME, Action::AskForOthers, "", Decision::NotGranted),
    question("metricsd", Action::ReadLogs, "", Decision::NotDelegate),
    question("execd", Action::AskForOthers, "", Decision::NotDelegate),
    question("nobody", Action::ReadLogs, "", Decision::NotDelegate),
];

/// Frames that are no question: how long a good one is made, where it is changed, and to what.
const MALFORMED: [(usize, (usize, u8), PolicyStatus); 9] = [
    (GOOD_BYTES - 1, (0, b'P'), PolicyStatus::InvalidArgs),
    (GOOD_BYTES + 1, (0, b'P'), PolicyStatus::InvalidArgs),
    (FRAME_BYTES_MAX, (0, b'P'), PolicyStatus::InvalidArgs),
    (GOOD_BYTES, (0, b'X'), PolicyStatus::InvalidArgs),
    (GOOD_BYTES, (2, 2), PolicyStatus::InvalidArgs),
    (GOOD_BYTES, (3, 9), PolicyStatus::InvalidArgs),
    (GOOD_BYTES, (16, 99), PolicyStatus::InvalidArgs),
    (GOOD_BYTES, (18, b'S'), PolicyStatus::InvalidArgs),
    (GOOD_BYTES, (17, 65), PolicyStatus::OverLimit),
];
/// Its last byte is its object.
const GOOD_BYTES: usize = 19;

/// policyd's answer.
type Answer = Result<Decision, PolicyStatus>;

pub(crate) fn decisions(talk: &mut Talk<'_>) -> Result<(), Why> {
    let since = talk.fresh_time();
    for question in &QUESTIONS {
        if question.ask(talk)? != Ok(question.decision) {
            return Err("policyd decides otherwise than its table says");
        }
    }
    malformed(talk)?;
    are_counted(talk, since)?;
    are_recorded(talk, since)
}

impl Question {
    fn frame(&self, nonce: u32, out: &mut [u8]) -> Result<usize, Why> {
        let (subject, action) = (ServiceId::from_name(self.subject), self.action);
        let object = Object::new(self.object).ok_or("no such object")?;
        let check = Check { subject, action, object };
        encode(&Frame { nonce, check }, out).map(<[u8]>::len).map_err(|_| "no such frame")
    }

    fn ask(&self, talk: &mut Talk<'_>) -> Result<Answer, Why> {
        let (nonce, mut frame) = (talk.next_nonce(), [0; FRAME_BYTES_MAX]);
        let length = self.frame(nonce, &mut frame)?;
        answer(talk, nonce, frame.get(..length).unwrap_or_default())
    }

    fn is_denied(&self) -> bool {
        self.decision != Decision::Allowed
    }

    /// Whether it is this very denial that a record tells of.
    fn is_told_by(&self, record: &Record<'_>) -> Result<bool, Why> {
        let (action, object, reason) = (self.action.name(), self.object, self.decision.name());
        let mut message = Text::<128>::EMPTY;
        let mut fields = Text::<256>::EMPTY;
        let mut subject = Text::<32>::EMPTY;
        // Who is granted nothing has no name.
        let named = match self.subject {
            "nobody" => write!(subject, "{}", ServiceId::from_name(self.subject)),
            name => write!(subject, "{name}"),
        };
        let subject = subject.as_str();
        let written = write!(message, "{action} denied to {subject}: {reason}").and(write!(
            fields,
            "action={action}\nasked_by={ME}\nevent=policy.denied.v1\nleft_out=0\n\
             object={object}\nreason={reason}\nsubject={subject}\n"
        ));
        named.and(written).map_err(|_| "a denial is too long")?;
        let (level, scope) = (record.level, record.scope);
        let is_it = (level, scope, record.message) == (Level::Warn, "policyd", message.as_str());
        Ok(is_it && record.fields.as_str() == fields.as_str())
    }
}

fn answer(talk: &mut Talk<'_>, nonce: u32, frame: &[u8]) -> Result<Answer, Why> {
    let answer = talk.send(POLICYD, frame)?;
    decode_reply(nonce, answer).ok_or("policyd's answer is none to the request")
}

fn malformed(talk: &mut Talk<'_>) -> Result<(), Why> {
    let good = question(ME, Action::Spawn, "a", Decision::NotGranted);
    for (length, (at, byte), status) in MALFORMED {
        let (nonce, mut frame) = (talk.next_nonce(), [0; FRAME_BYTES_MAX]);
        good.frame(nonce, &mut frame)?;
        frame.iter_mut().skip(at).take(1).for_each(|place| *place = byte);
        if answer(talk, nonce, frame.get(..length).unwrap_or_default())? != Err(status) {
            return Err("policyd takes a frame for a question that is none");
        }
    }
    Ok(())
}

fn are_counted(talk: &mut Talk<'_>, since: Mono) -> Result<(), Why> {
    let decided = |decision| QUESTIONS.iter().filter(|asked| asked.decision == decision).count();
    let refused = |why| MALFORMED.iter().filter(|(_, _, status)| *status == why).count();
    let [allowed, not_granted, not_delegate] =
        [Decision::Allowed, Decision::NotGranted, Decision::NotDelegate].map(decided).map(shown);
    let [invalid_args, over_limit] =
        [PolicyStatus::InvalidArgs, PolicyStatus::OverLimit].map(refused).map(shown);
    let value = |number| [COUNTER, NO_UNIT, ("value", number)];
    let decisions = [
        Series { labels: &[("label.outcome", "allowed")], values: &value(allowed.as_str()) },
        Series {
            labels: &[("label.outcome", "not_granted")],
            values: &value(not_granted.as_str()),
        },
        Series {
            labels: &[("label.outcome", "not_delegate")],
            values: &value(not_delegate.as_str()),
        },
    ];
    let refusals = [
        Series {
            labels: &[("label.reason", "invalid_args")],
            values: &value(invalid_args.as_str()),
        },
        Series { labels: &[("label.reason", "over_limit")], values: &value(over_limit.as_str()) },
    ];
    let metrics = [
        Metric { name: "policyd_decisions_total", series: &decisions },
        Metric { name: "policyd_refusals_total", series: &refusals },
        Metric { name: "policyd_audit_left_out_total", series: &[] },
    ];
    told(talk, POLICYD, since, &metrics, "what policyd counts is not in the journal")
}

/// Every denial has its record, in the order in which we asked, and nothing else has one.
fn are_recorded(talk: &mut Talk<'_>, since: Mono) -> Result<(), Why> {
    talk.until("what policyd has denied is not in the journal", |talk| {
        let mut denied = QUESTIONS.iter().filter(|question| question.is_denied());
        talk.each_record(since, |record| {
            let is_denial = has(record, &[("event", "policy.denied.v1")]);
            if record.service != POLICYD || !is_denial {
                return Ok(());
            }
            let question = denied.next().ok_or("policyd records what nobody has asked")?;
            let is_it = question.is_told_by(record)?;
            if is_it { Ok(()) } else { Err("policyd records another denial than it has told") }
        })?;
        Ok(denied.next().is_none().then_some(()))
    })
}
