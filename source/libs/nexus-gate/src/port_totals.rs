use nexus_bounded::Text;
use nexus_port::World;

/// Totals of a port, at most.
const TOTALS_MAX: usize = 48;
/// Bytes of a total's name, at most.
const NAME_BYTES_MAX: usize = 40;

/// What a port says of its own doings, sorted by name as status replies want it.
#[derive(Clone, Copy, Debug)]
pub struct PortTotals {
    totals: [(Text<NAME_BYTES_MAX>, u64); TOTALS_MAX],
    len: usize,
}

impl PortTotals {
    /// Asks the port. It has 48 totals at most, their names at most 40 bytes.
    #[must_use]
    pub fn of(world: &impl World) -> Self {
        let mut all = Self { totals: [(Text::EMPTY, 0); TOTALS_MAX], len: 0 };
        world.port_status(&mut |name, total| {
            let (name, place) = (Text::new(name), all.totals.get_mut(all.len));
            assert!(name.is_some() && place.is_some(), "a port keeps few totals with short names");
            if let (Some(name), Some(place)) = (name, place) {
                *place = (name, total);
                all.len += 1;
            }
        });
        if let Some(taken) = all.totals.get_mut(..all.len) {
            taken.sort_unstable_by(|(a, _), (b, _)| a.as_str().cmp(b.as_str()));
        }
        all
    }

    /// Names and totals, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, u64)> {
        self.totals.iter().take(self.len).map(|(name, total)| (name.as_str(), *total))
    }
}

#[cfg(test)]
mod tests {
    use nexus_abi::ServiceId;
    use nexus_port::{CallId, SubmitError, Token};

    use super::*;

    struct Talkative;

    impl World for Talkative {
        fn reply(&mut self, _: Token, _: &[u8]) {}

        fn submit(&mut self, _: ServiceId, _: CallId, _: &[u8]) -> Result<(), SubmitError> {
            Err(SubmitError::NotReady)
        }

        fn print(&mut self, _: &str) {}

        fn port_status(&self, out: &mut dyn FnMut(&str, u64)) {
            out("port_frames", 3);
            out("port_accepted", 1);
        }
    }

    #[test]
    fn totals_of_a_port_come_sorted_by_name() {
        let totals = PortTotals::of(&Talkative);
        let totals = totals.iter().map(|(name, total)| (name.to_owned(), total));

        let expected = [("port_accepted".to_owned(), 1), ("port_frames".to_owned(), 3)];
        assert_eq!(totals.collect::<Vec<_>>(), expected);
    }
}
