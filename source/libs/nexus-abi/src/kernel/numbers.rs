use super::RESOURCE_SLOTS;

/// An enum whose numbers are part of an interface, with its names as they stand in documents.
macro_rules! numbered {
    (
        $(#[$outer:meta])* $name:ident
        { $($(#[$inner:meta])* $variant:ident = $number:literal, $word:literal;)* }
    ) => {
        $(#[$outer])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
        #[repr(u8)]
        pub enum $name { $($(#[$inner])* $variant = $number,)* }

        impl $name {
            /// All of them, by number.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// The one of that number.
            #[must_use]
            pub const fn from_raw(raw: u64) -> Option<Self> {
                match raw { $($number => Some(Self::$variant),)* _ => None }
            }

            /// Its number.
            #[must_use]
            pub const fn raw(self) -> u64 { self as u64 }

            /// Its name in documents.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $word,)* }
            }
        }
    };
}

numbered! {
    /// What a process may ask of the kernel.
    SystemCall {
        /// Who the caller is.
        Info = 0, "info";
        /// Which slot holds a capability.
        Find = 1, "find";
        /// Hands a request to an endpoint and goes on.
        Submit = 2, "submit";
        /// Waits for whatever comes next.
        Receive = 3, "receive";
        /// Answers a request.
        Reply = 4, "reply";
        /// Hands over a request and waits for its answer alone.
        Call = 5, "call";
        /// Answers a request, then waits for whatever comes next.
        ReplyReceive = 6, "reply_receive";
        /// Starts a life of a child.
        Spawn = 7, "spawn";
        /// Ends a child.
        Kill = 8, "kill";
        /// Raises signals of a child.
        Signal = 9, "signal";
        /// How a child is.
        Child = 10, "child";
        /// Adds memory at the end of the heap.
        Grow = 11, "grow";
        /// Maps a device window, a pool or a shared region.
        Map = 12, "map";
        /// Lets an interrupt come again.
        InterruptDone = 13, "interrupt_done";
        /// Writes a line on the console.
        Print = 14, "print";
        /// Ends the caller.
        Exit = 15, "exit";
        /// Stops the machine.
        Halt = 16, "halt";
        /// Says that ends of a child need not be told again.
        Acknowledge = 17, "acknowledge";
    }
}

numbered! {
    /// Why the kernel did not do what was asked. Nothing has changed then.
    KernelError {
        /// There is no system call of that number.
        UnknownCall = 1, "unknown_call";
        /// The slot holds no capability of the kind that is needed.
        NoCapability = 2, "no_capability";
        /// The bytes are not all memory of the caller that it may use so.
        BadAddress = 3, "bad_address";
        /// More bytes, pages or bits than there may be.
        TooLong = 4, "too_long";
        /// As many calls as may be are under way.
        Busy = 5, "busy";
        /// Nobody serves there now.
        NotReady = 6, "not_ready";
        /// The callee ended before it answered; it may have acted.
        PeerDied = 7, "peer_died";
        /// The request is answered, given up, or never was the caller's to answer.
        Gone = 8, "gone";
        /// The answer did not fit the place that was left for it.
        AnswerTooLong = 9, "answer_too_long";
        /// No slot holds it.
        NotFound = 10, "not_found";
        /// A life of the child goes on.
        Running = 11, "running";
        /// No life of the child goes on.
        NotRunning = 12, "not_running";
        /// More rights than the image gives.
        Denied = 13, "denied";
        /// The caller's budget, or the machine's memory, is used up.
        NoMemory = 14, "no_memory";
    }
}

numbered! {
    /// What a capability lets its holder do.
    CapabilityKind {
        /// Hand requests to a service; its key is the service's id.
        Call = 1, "call";
        /// Start, end and signal a child; its key is the child's service id.
        Child = 2, "child";
        /// Map the registers of a device; its key is the id of the window's name.
        Device = 3, "device";
        /// Be signalled when a device asks for it; its key is the id of the interrupt's name.
        Interrupt = 4, "interrupt";
        /// Map memory that devices reach by its physical address: trust in all of memory.
        Dma = 5, "dma";
        /// Map memory that others map too.
        Shared = 6, "shared";
        /// Write lines on the console; its key is 0.
        Console = 7, "console";
        /// Stop the machine; its key is 0.
        Halt = 8, "halt";
    }
}

/// A set of signals, one bit each.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Signals(pub u64);

impl Signals {
    /// None.
    pub const NONE: Self = Self(0);
    /// The parent asks for an orderly end.
    pub const STOP: Self = Self(1);
    /// What a parent may raise; the bits above are interrupts.
    pub const RAISED_BY_PARENTS: Self = Self(0xffff_ffff);

    /// The signal of the interrupt whose capability is in `slot`, one of the resources' slots.
    #[must_use]
    pub const fn interrupt(slot: usize) -> Self {
        Self(1 << (32 + slot % RESOURCE_SLOTS))
    }

    /// Both sets together.
    #[must_use]
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether every signal of `other` is here.
    #[must_use]
    pub const fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

impl SystemCall {
    /// What the call may be refused with. Nothing has changed then.
    #[must_use]
    pub const fn refusals(self) -> &'static [KernelError] {
        use KernelError as E;
        match self {
            Self::Info | Self::Exit => &[],
            Self::Find => &[E::NotFound],
            Self::Submit | Self::Call => {
                &[E::NoCapability, E::BadAddress, E::TooLong, E::Busy, E::NotReady]
            }
            Self::Receive => &[E::BadAddress],
            Self::Reply | Self::ReplyReceive => &[E::BadAddress, E::TooLong, E::Gone],
            Self::Spawn => &[E::NoCapability, E::Running, E::Denied, E::NoMemory],
            Self::Kill => &[E::NoCapability, E::NotRunning],
            Self::Signal => &[E::NoCapability, E::TooLong, E::NotRunning],
            Self::Child | Self::Acknowledge | Self::InterruptDone | Self::Halt => {
                &[E::NoCapability]
            }
            Self::Grow => &[E::TooLong, E::NoMemory],
            Self::Map => &[E::NoCapability, E::NoMemory],
            Self::Print => &[E::NoCapability, E::BadAddress, E::TooLong],
        }
    }
}
