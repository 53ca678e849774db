use core::any::Any;
use std::collections::VecDeque;

use nexus_abi::{ExitReason, Incarnation, Rights, Sender, ServiceId};
use nexus_bounded::Mono;
use nexus_port::{CallError, CallId, Event, Now, Service};

use crate::drive::Drive;
use crate::effects::Effects;
use crate::fabric::LifeId;
use crate::inbox::Inbox;

/// A [`Service`] of any type.
pub(crate) trait Process {
    fn take(&mut self, now: Now, event: Event<'_>, effects: &mut Effects<'_>);
    fn next_wake(&self) -> Option<Mono>;
    fn is_done(&self) -> bool;
    fn as_any(&self) -> &dyn Any;
}

impl<S: Service + 'static> Process for S {
    fn take(&mut self, now: Now, event: Event<'_>, effects: &mut Effects<'_>) {
        self.handle(now, event, effects);
        self.check_invariants();
    }

    fn next_wake(&self) -> Option<Mono> {
        self.deadline()
    }

    fn is_done(&self) -> bool {
        self.stopped()
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// What a service is told when it starts.
#[derive(Clone, Copy, Debug)]
pub struct Start {
    /// How often it has been started, this time included.
    pub boot: u32,
    /// Its life, as it is stamped on what it sends.
    pub incarnation: Incarnation,
    /// When.
    pub now: Now,
}

/// A process as the world sees it from outside.
pub(crate) struct Port {
    pub(crate) name: String,
    pub(crate) id: ServiceId,
    pub(crate) rights: Rights,
    pub(crate) boot: u32,
    /// `None` while it does not run.
    pub(crate) life: Option<LifeId>,
    pub(crate) paused: bool,
    pub(crate) stop: Stop,
    pub(crate) notices: VecDeque<(Sender, ExitReason)>,
    pub(crate) completions: VecDeque<(CallId, Result<Vec<u8>, CallError>)>,
    pub(crate) inbox: Inbox,
    /// Its disk, if it has one: it outlives the process.
    pub(crate) drive: Option<Drive>,
    /// Calls under way.
    pub(crate) in_flight: u32,
    /// Lives it has had a request from and no notice of, by number.
    heard: Vec<bool>,
    /// Exact time at which its timer fires.
    pub(crate) wake: Option<Mono>,
    /// Wakes since anything else happened or its deadline was ahead.
    pub(crate) idle_wakes: u32,
}

/// How far an orderly end is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Stop {
    No,
    Asked,
    Told,
}

impl Port {
    pub(crate) fn new(name: &str, rights: Rights) -> Self {
        Self {
            name: name.to_owned(),
            id: ServiceId::from_name(name),
            rights,
            boot: 0,
            life: None,
            paused: false,
            stop: Stop::No,
            notices: VecDeque::new(),
            completions: VecDeque::new(),
            inbox: Inbox::default(),
            drive: None,
            in_flight: 0,
            heard: Vec::new(),
            wake: None,
            idle_wakes: 0,
        }
    }

    pub(crate) const fn runs(&self) -> bool {
        self.life.is_some() && !self.paused
    }

    /// Forgets all that the last life knew.
    pub(crate) fn clear(&mut self) {
        let fresh = Self::new(&self.name, self.rights);
        let mut drive = self.drive.take();
        drive.iter_mut().for_each(Drive::forget);
        *self = Self { boot: self.boot, drive, ..fresh };
    }

    pub(crate) fn hear(&mut self, life: LifeId) {
        if self.heard.len() <= life.0 {
            self.heard.resize(life.0 + 1, false);
        }
        self.heard[life.0] = true;
    }

    /// Whether a notice of the end of `life` is due; it is due once.
    pub(crate) fn unhear(&mut self, life: LifeId) -> bool {
        self.heard.get_mut(life.0).is_some_and(core::mem::take)
    }
}
