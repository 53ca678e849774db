use nexus_port::World;

/// What a daemon's `reject` line says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RejectMarker {
    /// Malformed, not canonical, or a claim of identity.
    InvalidArgs,
    /// Beyond a limit.
    OverLimit,
    /// Beyond a budget.
    RateLimited,
}

/// Prints each of a daemon's three `reject` lines once; the rest is counted elsewhere.
#[derive(Clone, Copy, Debug)]
pub struct RejectMarkers {
    lines: [&'static str; 3],
    printed: [bool; 3],
}

impl RejectMarkers {
    /// Nothing printed yet; `lines` in the order of [`RejectMarker`].
    #[must_use]
    pub const fn new(lines: [&'static str; 3]) -> Self {
        Self { lines, printed: [false; 3] }
    }

    /// A refusal has just happened.
    pub fn note(&mut self, marker: RejectMarker, world: &mut impl World) {
        let at = marker as usize;
        if let (Some(printed), Some(line)) = (self.printed.get_mut(at), self.lines.get(at))
            && !core::mem::replace(printed, true)
        {
            world.print(line);
        }
    }
}
