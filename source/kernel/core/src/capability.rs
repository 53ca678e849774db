use nexus_abi::kernel::{CAPABILITIES_MAX, CapabilityKind, KernelError};

use crate::ProcessId;

/// What its holder may do. Capabilities come from the image and from nowhere else: no operation
/// makes, moves or copies one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Capability {
    /// Hand requests to this service.
    Call(ProcessId),
    /// Start, end and signal this child.
    Child(ProcessId),
    /// Use this resource of the image.
    Resource {
        /// `Device`, `Interrupt`, `Dma` or `Shared`.
        kind: CapabilityKind,
        /// Its number in the image.
        number: u8,
        /// Whether it may be written.
        writable: bool,
    },
    /// Write lines on the console.
    Console,
    /// Stop the machine.
    Halt,
}

impl Capability {
    /// What kind it is.
    #[must_use]
    pub const fn kind(self) -> CapabilityKind {
        match self {
            Self::Call(_) => CapabilityKind::Call,
            Self::Child(_) => CapabilityKind::Child,
            Self::Resource { kind, .. } => kind,
            Self::Console => CapabilityKind::Console,
            Self::Halt => CapabilityKind::Halt,
        }
    }
}

/// The capabilities of a process, in slots.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Capabilities([Option<Capability>; CAPABILITIES_MAX]);

impl Capabilities {
    /// None.
    pub const NONE: Self = Self([None; CAPABILITIES_MAX]);

    /// Puts a capability into the first free slot; whether there was one.
    pub fn add(&mut self, capability: Capability) -> bool {
        let free = self.0.iter_mut().find(|slot| slot.is_none());
        free.is_some_and(|slot| slot.replace(capability).is_none())
    }

    /// What a slot holds.
    #[must_use]
    #[inline]
    pub fn get(&self, slot: u64) -> Option<Capability> {
        *self.0.get(usize::try_from(slot).ok()?)?
    }

    /// Slots that hold something.
    pub fn iter(&self) -> impl Iterator<Item = (usize, Capability)> {
        self.0.iter().enumerate().filter_map(|(slot, held)| Some((slot, (*held)?)))
    }

    /// The service that may be called by `slot`.
    ///
    /// # Errors
    /// [`KernelError::NoCapability`].
    #[inline]
    pub fn callee(&self, slot: u64) -> Result<ProcessId, KernelError> {
        match self.get(slot) {
            Some(Capability::Call(callee)) => Ok(callee),
            _ => Err(KernelError::NoCapability),
        }
    }

    /// The child that `slot` stands for.
    ///
    /// # Errors
    /// [`KernelError::NoCapability`].
    pub fn child(&self, slot: u64) -> Result<ProcessId, KernelError> {
        match self.get(slot) {
            Some(Capability::Child(child)) => Ok(child),
            _ => Err(KernelError::NoCapability),
        }
    }

    /// Nothing, if `slot` holds exactly `wanted`.
    ///
    /// # Errors
    /// [`KernelError::NoCapability`].
    pub fn needs(&self, slot: u64, wanted: Capability) -> Result<(), KernelError> {
        if self.get(slot) == Some(wanted) { Ok(()) } else { Err(KernelError::NoCapability) }
    }
}
