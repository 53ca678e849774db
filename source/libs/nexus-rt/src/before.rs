//! What came before a process could look, where a kernel keeps it: signals, and what has become of
//! the children of its former lives.
//!
//! Who lives is seen first, and what there is to be received is taken then. So a child that ends in
//! between is known by its number, and one that had ended before by its end: of each that former
//! lives have left and not heard the end of, one of the two is known, whenever it ends.

use nexus_abi::kernel::{CAPABILITIES_MAX, Change, PROCESSES_MAX, Received, Signals};
use nexus_abi::{ExitReason, ServiceId};

/// What is asked of the kernel.
pub trait Kernel {
    /// The number of the process of the child in that slot, if there is one and it lives.
    fn life(&self, slot: u64) -> Option<u32>;

    /// What there is to be received now.
    fn next(&mut self) -> Option<Received>;
}

/// See the module.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Before {
    /// Signals so far.
    pub raised: Signals,
    lived: [Option<u32>; CAPABILITIES_MAX],
    ended: [Option<(ServiceId, ExitReason)>; PROCESSES_MAX],
}

impl Before {
    /// Nothing.
    pub const NOTHING: Self = Self {
        raised: Signals::NONE,
        lived: [None; CAPABILITIES_MAX],
        ended: [None; PROCESSES_MAX],
    };

    /// Looks, and takes what there is. By a process that has started no child yet.
    pub fn find(kernel: &mut impl Kernel) -> Self {
        let mut before = Self::NOTHING;
        for (slot, life) in (0..).zip(&mut before.lived) {
            *life = kernel.life(slot);
        }
        while let Some(received) = kernel.next() {
            before.take(received);
        }
        before
    }

    fn take(&mut self, received: Received) {
        match received {
            Received::Signals(more) => self.raised = self.raised.with(more),
            Received::Child { service, change: Change::Ended(reason) } => {
                // The kernel tells of each child once.
                let free = self.ended.iter_mut().find(|place| place.is_none());
                free.into_iter().for_each(|place| *place = Some((service, reason)));
            }
            _ => {}
        }
    }

    /// The number of the process of the child in that slot, if it lived when we looked.
    #[must_use]
    pub fn lived(&self, slot: u64) -> Option<u32> {
        usize::try_from(slot).ok().and_then(|slot| self.lived.get(slot).copied()?)
    }

    /// How that child has ended, if nobody has received that before us.
    #[must_use]
    pub fn ended(&self, child: ServiceId) -> Option<ExitReason> {
        self.ended.iter().flatten().find(|(ended, _)| *ended == child).map(|(_, reason)| *reason)
    }
}
