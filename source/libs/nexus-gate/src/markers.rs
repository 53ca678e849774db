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

/// Prints each of a daemon's `reject` lines once; the rest is counted elsewhere. A daemon without
/// budgets has two.
#[derive(Clone, Copy, Debug)]
pub struct RejectMarkers<const N: usize = 3> {
    lines: [&'static str; N],
    printed: [bool; N],
}

impl<const N: usize> RejectMarkers<N> {
    /// Nothing printed yet; `lines` in the order of [`RejectMarker`].
    #[must_use]
    pub const fn new(lines: [&'static str; N]) -> Self {
        Self { lines, printed: [false; N] }
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
