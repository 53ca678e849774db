use core::marker::PhantomData;
use core::sync::atomic::{AtomicU32, Ordering::Relaxed};

use nexus_wire::{LossReason, SpanStatus};

use crate::attrs::{self, AttrValue};
use crate::global;
use crate::lane::Lane;
use crate::names::{StaticKey, StaticName};
use crate::record::{AttrText, NameId, Record};
use crate::threads;

/// Which span something belongs to: to be handed to another thread, as the parent of its spans.
///
/// The numbers are this process's own counts; frames and records carry them together with the
/// sender's identity.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SpanContext {
    span: u32,
    trace: u32,
}

impl SpanContext {
    pub(crate) const fn local(span: u32, trace: u32) -> Self {
        Self { span, trace }
    }

    /// The innermost span that is open on this thread.
    #[must_use]
    pub fn current() -> Option<Self> {
        threads::on_lane(Lane::current).flatten()
    }

    /// This process's count of the span, not 0.
    #[must_use]
    pub const fn span(self) -> u32 {
        self.span
    }

    /// This process's count of the span's trace, not 0.
    #[must_use]
    pub const fn trace(self) -> u32 {
        self.trace
    }
}

/// A place in the source where spans begin; see [`crate::span!`].
pub struct SpanSite {
    name: StaticName,
    /// Number of the name plus one; 0 until the first span, `u32::MAX` if there is no room.
    id: AtomicU32,
}

const NO_ROOM: u32 = u32::MAX;

impl SpanSite {
    /// A place for spans of this name.
    #[must_use]
    pub const fn new(name: StaticName) -> Self {
        Self { name, id: AtomicU32::new(0) }
    }

    /// A span that begins now, not yet on the stack; [`SpanGuard::open`] puts it there.
    #[doc(hidden)]
    #[inline]
    pub fn prepare(&self, parent: Option<SpanContext>) -> SpanGuard {
        SpanGuard::prepare(self.name_id(), parent)
    }

    #[inline]
    fn name_id(&self) -> Option<NameId> {
        match self.id.load(Relaxed) {
            0 => self.resolve(),
            NO_ROOM => None,
            id => Some(NameId(id - 1)),
        }
    }

    #[cold]
    fn resolve(&self) -> Option<NameId> {
        let id = global().span_names().intern(self.name.as_str());
        self.id.store(id.map_or(NO_ROOM, |id| id.0 + 1), Relaxed);
        id
    }
}

/// An open span. It ends when the guard is dropped: ok, or as an error after [`SpanGuard::fail`]
/// or when the thread panics.
///
/// It stays on its thread, whose later spans are its children; others get its
/// [`SpanGuard::context`].
#[must_use = "a span ends when its guard is dropped; bind it to a name such as `_span`"]
pub struct SpanGuard {
    record: Record,
    /// `None`: there was no room for the span, and its loss is counted.
    lane: Option<&'static Lane>,
    stays_on_its_thread: PhantomData<*const ()>,
}

impl SpanGuard {
    #[inline]
    pub(crate) fn prepare(name: Option<NameId>, parent: Option<SpanContext>) -> Self {
        let lane = name.and_then(|_| threads::on_lane(|lane| lane));
        let parent = parent.or_else(|| lane.and_then(Lane::current));
        let span = global().next_local();
        Self {
            record: Record {
                name: name.unwrap_or(NameId(0)),
                trace: parent.map_or(span, SpanContext::trace),
                span,
                parent: parent.map_or(0, SpanContext::span),
                start: threads::local_now(),
                end: 0,
                status: SpanStatus::Ok,
                slot: 0,
                attrs: AttrText::EMPTY,
                start_attrs: 0,
            },
            lane,
            stays_on_its_thread: PhantomData,
        }
    }

    /// Adds an attribute to a span whose keys are known to differ.
    #[doc(hidden)]
    #[inline]
    pub fn with(&mut self, key: StaticKey, value: &(impl AttrValue + ?Sized)) {
        if !attrs::append(&mut self.record.attrs, key.as_str(), value) {
            global().losses().add(LossReason::TooLarge, 1);
        }
    }

    /// Puts a prepared span on the stack of its thread.
    #[doc(hidden)]
    #[inline]
    pub fn open(&mut self) {
        self.record.start_attrs = self.record.attrs.len();
        self.lane = self.lane.filter(|lane| lane.begin(&mut self.record));
    }

    /// Adds an attribute: `span.attr(key!("code"), 3)`. One that does not fit into the 192 bytes
    /// that a span has, or whose key it has already, is left out and counted.
    pub fn attr(&mut self, key: StaticKey, value: impl AttrValue) {
        if attrs::has(&self.record.attrs, key) {
            global().losses().add(LossReason::TooLarge, 1);
        } else {
            self.with(key, &value);
        }
    }

    /// The span will end as an error.
    pub const fn fail(&mut self) {
        self.record.status = SpanStatus::Error;
    }

    /// This span as a parent of others, on whatever thread.
    #[must_use]
    pub const fn context(&self) -> SpanContext {
        SpanContext::local(self.record.span, self.record.trace)
    }
}

impl Drop for SpanGuard {
    #[inline]
    fn drop(&mut self) {
        if threads::panicking() {
            self.fail();
        }
        self.record.end = threads::local_now();
        if !self.lane.is_some_and(|lane| lane.end(&self.record)) {
            global().losses().add(LossReason::SpanRingFull, 1);
        }
    }
}
