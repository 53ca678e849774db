use nexus_bounded::{Nanos, Wall};

/// How kind a simulated world is. The same configuration makes the same run.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where every choice of the world comes from.
    pub seed: u64,
    /// The clock that services read ticks in steps of this; timers fire at ticks. 1 ns or more.
    pub resolution: Nanos,
    /// Calendar time at boot; `None`: nothing knows it.
    pub wall: Option<Wall>,
    /// A request travels for up to so long; those of one life keep their order.
    pub request_delay: Nanos,
    /// An answer travels for up to so long.
    pub answer_delay: Nanos,
    /// Calls that one service may have under way, to all callees together.
    pub slots: u32,
    /// Requests that one scripted client or link may have under way.
    pub client_slots: u32,
    /// What becomes of requests whose sender dies before they are received.
    pub letters: Letters,
    /// Services are woken early and again, now and then.
    pub early_wakes: bool,
    /// Of several acknowledgements that wait on a link, only the last is left.
    pub fold_acknowledgements: bool,
}

/// What becomes of requests whose sender dies before they are received.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Letters {
    /// They vanish, and the notice of the death comes before anything of the next life: the OS.
    Vanish,
    /// They arrive, then the notice, maybe after the first requests of the next life: sockets.
    Arrive,
}

impl Config {
    /// A kind world: exact clock, no delays, no surprises.
    #[must_use]
    pub const fn kind(seed: u64) -> Self {
        Self {
            seed,
            resolution: Nanos(1),
            wall: None,
            request_delay: Nanos(0),
            answer_delay: Nanos(0),
            slots: 8,
            client_slots: 1024,
            letters: Letters::Arrive,
            early_wakes: false,
            fold_acknowledgements: false,
        }
    }

    /// A world with everything that its contracts allow: delays, early wakes, folded
    /// acknowledgements, a clock that ticks in steps of 10 ms; vanishing letters by the seed.
    #[must_use]
    pub const fn unkind(seed: u64) -> Self {
        Self {
            resolution: Nanos::from_millis(10),
            request_delay: Nanos::from_millis(3),
            answer_delay: Nanos::from_millis(3),
            slots: 4,
            letters: if seed.is_multiple_of(2) { Letters::Vanish } else { Letters::Arrive },
            early_wakes: true,
            fold_acknowledgements: true,
            ..Self::kind(seed)
        }
    }

    /// The same with a clock that ticks in steps of `resolution`.
    #[must_use]
    pub const fn ticking(self, resolution: Nanos) -> Self {
        Self { resolution, ..self }
    }
}
