//! The proof of readiness: a record of metricsd's own goes to logd and is read back.

use core::fmt::Write as _;

use nexus_bounded::{Mono, Text};
use nexus_wire::logs::{BatchReply, Found, NewRecord, Search, SearchReply};
use nexus_wire::{Level, RecordId};

use super::feed::OWN_SCOPE;

const MESSAGE: &str = "ready";

/// `boot event seq` and their values.
type ProofFields = Text<64>;

enum State {
    /// To be appended, not before this time.
    Unproven(Mono),
    Appending,
    /// logd acknowledged it under this id.
    Appended {
        boot: u32,
        id: RecordId,
    },
    Proven,
}

/// How far the proof is.
pub(super) struct Proof {
    state: State,
    fields: ProofFields,
}

impl Proof {
    pub(super) const fn new() -> Self {
        Self { state: State::Unproven(Mono(0)), fields: ProofFields::EMPTY }
    }

    pub(super) const fn is_proven(&self) -> bool {
        matches!(self.state, State::Proven)
    }

    /// When the record is next to be appended, if it is.
    pub(super) const fn due(&self) -> Option<Mono> {
        match self.state {
            State::Unproven(from) => Some(from),
            State::Appending | State::Appended { .. } | State::Proven => None,
        }
    }

    /// Begins with a record of this number.
    pub(super) fn begin(&mut self, boot: u32, seq: u64) {
        self.fields = ProofFields::EMPTY;
        let written = write!(self.fields, "boot={boot}\nevent=ready.v1\nseq={seq}\n");
        assert!(written.is_ok(), "64 bytes hold every boot and number");
        self.state = State::Appending;
    }

    /// The record to be appended.
    pub(super) fn record(&self) -> NewRecord<'_> {
        let fields = self.fields.as_str().as_bytes();
        NewRecord { level: Level::Info, scope: OWN_SCOPE, message: MESSAGE, fields }
    }

    /// Notes logd's answer; the proof goes on with [`Self::search`] or begins anew `later`.
    pub(super) fn appended(&mut self, reply: &BatchReply, later: Mono) {
        self.state = if reply.accepted == 1 && reply.first_id != RecordId::default() {
            State::Appended { boot: reply.boot, id: reply.first_id }
        } else {
            State::Unproven(later)
        };
    }

    /// What to ask logd for.
    pub(super) fn search(&self) -> Option<Search<'static>> {
        let State::Appended { boot, id } = self.state else { return None };
        let before = RecordId(id.0.saturating_sub(1));
        Some(Search { boot, id: before, max: 1, scope: OWN_SCOPE, ..Search::ALL })
    }

    /// Looks for the very record in logd's answer, and says whether it is there. If not, the proof
    /// begins anew `later`.
    pub(super) fn found(&mut self, reply: Option<&SearchReply<'_>>, later: Mono) -> bool {
        let State::Appended { boot, id } = self.state else { return false };
        let is_it = |found: Found<'_>| match found {
            Found::Record(record) => record.id == id && record.as_new() == self.record(),
            Found::Gap(_) => false,
        };
        let proven = reply.is_some_and(|reply| reply.boot == boot && reply.found().any(is_it));
        self.state = if proven { State::Proven } else { State::Unproven(later) };
        proven
    }

    /// logd refused to append or to search: again `later`.
    pub(super) const fn refused(&mut self, later: Mono) {
        self.state = State::Unproven(later);
    }
}
