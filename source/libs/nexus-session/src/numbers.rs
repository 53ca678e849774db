use nexus_wire::sessions::SessionId;

/// Numbers of sessions, one after the other.
pub(crate) struct Numbers {
    latest: u32,
}

impl Numbers {
    pub(crate) const fn new() -> Self {
        Self { latest: 0 }
    }

    /// The next number that no session has; there are far more than sessions.
    pub(crate) fn next(&mut self, is_taken: impl Fn(SessionId) -> bool) -> SessionId {
        loop {
            self.latest = self.latest.wrapping_add(1);
            let id = SessionId(self.latest);
            if id.0 != 0 && !is_taken(id) {
                return id;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_run_out_begins_anew_without_zero_and_without_what_is_taken() {
        let mut numbers = Numbers { latest: u32::MAX - 1 };
        let mut next = || numbers.next(|id| [1, 3].contains(&id.0)).0;
        assert_eq!([next(), next(), next()], [u32::MAX, 2, 4]);
    }
}
