use nexus_bounded::Mono;
use nexus_wire::{SpanName, SpanStatus};

use crate::attrs::AttrValue;
use crate::client::OpenSpan;
use crate::global;
use crate::names::{StaticKey, StaticName};
use crate::span::SpanContext;

/// Work that goes on step by step, as a service does it for somebody who waits: a span for the
/// whole, and one at a time within it for the step that goes on. Times are the caller's; what finds
/// no room is counted and left out.
#[must_use = "spans that are never ended are closed as abandoned"]
pub struct Steps {
    whole: Option<OpenSpan>,
    step: Option<OpenSpan>,
}

impl Steps {
    /// The whole begins, in no step yet; the attribute says what it is about.
    pub fn begin(name: StaticName, (key, about): (StaticKey, impl AttrValue), now: Mono) -> Self {
        let mut whole = begin(name, None, now);
        if let Some(span) = &mut whole {
            global().span_attr(span, key, about);
        }
        Self { whole, step: None }
    }

    /// The next step begins, and with it ends well the one before.
    pub fn step(&mut self, name: StaticName, now: Mono) {
        end(self.step.take(), now, SpanStatus::Ok);
        self.step = begin(name, self.whole.as_ref().map(OpenSpan::context), now);
    }

    /// The whole ends, and so does its last step.
    pub fn end(self, now: Mono, status: SpanStatus) {
        end(self.step, now, status);
        end(self.whole, now, status);
    }
}

fn begin(name: StaticName, parent: Option<SpanContext>, now: Mono) -> Option<OpenSpan> {
    SpanName::new(name.as_str()).and_then(|name| global().begin_span(name, parent, now))
}

fn end(span: Option<OpenSpan>, now: Mono, status: SpanStatus) {
    if let Some(span) = span {
        global().end_span(span, now, status);
    }
}
