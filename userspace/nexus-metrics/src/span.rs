use core::marker::PhantomData;
use core::sync::atomic::{AtomicU32, Ordering::Relaxed};

use nexus_wire::{LossReason, SpanStatus};

use crate::OFF;
use crate::attrs::AttrValue;
use crate::global;
use crate::lane::{Lane, Open};
use crate::names::{StaticKey, StaticName};
use crate::record::{Head, NameId};
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

    /// A span that begins now, to be given its attributes and then published.
    #[doc(hidden)]
    #[inline]
    pub fn prepare(&self, parent: Option<SpanContext>) -> SpanGuard {
        SpanGuard::prepare(self.name_id(), parent)
    }

    #[inline]
    fn name_id(&self) -> Option<NameId> {
        if OFF {
            return None;
        }
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
    /// `None`: there was no room for the span, and its loss is counted.
    open: Option<(&'static Lane, Open)>,
    context: SpanContext,
    status: SpanStatus,
    stays_on_its_thread: PhantomData<*const ()>,
}

impl SpanGuard {
    #[inline]
    pub(crate) fn prepare(name: Option<NameId>, parent: Option<SpanContext>) -> Self {
        if OFF {
            return Self::nothing();
        }
        let lane = threads::on_lane(|lane| lane);
        let parent = parent.or_else(|| lane.and_then(Lane::current));
        let span = global().next_local();
        let trace = parent.map_or(span, SpanContext::trace);
        let open = lane.zip(name).and_then(|(lane, name)| {
            let parent = parent.map_or(0, SpanContext::span);
            let start = threads::local_now();
            Some((lane, lane.begin(&Head { name, trace, span, parent, start })?))
        });
        if open.is_none() {
            global().losses().add(LossReason::SpanRingFull, 1);
        }
        let context = SpanContext::local(span, trace);
        Self { open, context, status: SpanStatus::Ok, stays_on_its_thread: PhantomData }
    }

    /// One that is not recorded, and of which nothing is lost.
    const fn nothing() -> Self {
        Self {
            open: None,
            context: SpanContext::local(0, 0),
            status: SpanStatus::Ok,
            stays_on_its_thread: PhantomData,
        }
    }

    /// Adds an attribute to a span whose keys are known to differ.
    #[doc(hidden)]
    #[inline]
    pub fn with(&mut self, key: StaticKey, value: &(impl AttrValue + ?Sized)) {
        if let Some((lane, open)) = &mut self.open
            && !lane.attr(open, key.as_str(), value)
        {
            global().losses().add(LossReason::TooLarge, 1);
        }
    }

    /// Makes a prepared span known.
    #[doc(hidden)]
    #[inline]
    pub fn publish(&mut self) {
        if let Some((lane, open)) = &mut self.open {
            lane.publish(open);
        }
    }

    /// Adds an attribute: `span.attr(key!("code"), 3)`. One that does not fit into the 192 bytes
    /// that a span has, or whose key it has already, is left out and counted.
    pub fn attr(&mut self, key: StaticKey, value: impl AttrValue) {
        let has = |(lane, open): &(&Lane, Open)| lane.has_attr(open, key.as_str());
        if self.open.as_ref().is_some_and(has) {
            global().losses().add(LossReason::TooLarge, 1);
        } else {
            self.with(key, &value);
        }
    }

    /// The span will end as an error.
    pub const fn fail(&mut self) {
        self.status = SpanStatus::Error;
    }

    /// This span as a parent of others, on whatever thread.
    #[must_use]
    pub const fn context(&self) -> SpanContext {
        self.context
    }
}

impl Drop for SpanGuard {
    #[inline]
    fn drop(&mut self) {
        let Some((lane, open)) = &self.open else { return };
        let status = if threads::panicking() { SpanStatus::Error } else { self.status };
        if !lane.end(open, threads::local_now(), status) {
            global().losses().add(LossReason::SpanRingFull, 1);
        }
    }
}
