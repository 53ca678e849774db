//! What the key of a series says: whose it is, what it measures and how it is called.
//!
//! Written where a series is first recorded, in the log and in segments; nobody has to ask metricsd
//! what a key means. Two keys are of the same series if their bytes are the same.

use core::fmt;

use nexus_abi::ServiceId;
use nexus_wire::{
    Kind, LABELS_BYTES_MAX, LabelBytes, Labels, MetricName, NAME_BYTES_MAX, NameBytes, Unit,
};

use crate::bytes::{Put, Reader, Slot};
use crate::segment::KEY_BYTES_MAX;

/// Bytes in front of the name.
const FIXED_BYTES: usize = 8 + 4;

/// Bytes of a key, at most.
pub const BYTES_MAX: usize = FIXED_BYTES + NAME_BYTES_MAX + LABELS_BYTES_MAX;

const _: () = assert!(BYTES_MAX <= KEY_BYTES_MAX, "segments take every key");

/// The key of a series.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SeriesKey<'a> {
    /// Whoever sent its values, as the port has stamped it; 0 for what gathers the series of
    /// senders that are forgotten.
    pub service: ServiceId,
    /// What it measures.
    pub kind: Kind,
    /// In what; [`Unit::None`] as long as nobody has said it.
    pub unit: Unit,
    /// It gathers what met a cap: of the metric of its name, or else of its sender.
    pub is_overflow: bool,
    /// The name of its metric.
    pub name: MetricName<'a>,
    /// Its labels, canonical.
    pub labels: Labels<'a>,
}

/// Room for any key.
pub type KeyBytes = [u8; BYTES_MAX];

impl<'a> SeriesKey<'a> {
    /// Writes the key to the front of `out`, and gives what was written.
    pub fn write<'b>(&self, out: &'b mut KeyBytes) -> &'b [u8] {
        let (name, labels) = (self.name.as_str(), self.labels.fields().as_str());
        let len = FIXED_BYTES + name.len() + labels.len();
        let mut slot = Slot::new(out);
        slot.u64(self.service.raw());
        slot.u8(self.kind.raw());
        slot.u8(self.unit.raw());
        slot.u8(self.is_overflow.into());
        // A name has at most 48 bytes.
        slot.u8(name.len() as u8);
        slot.bytes(name.as_bytes());
        slot.bytes(labels.as_bytes());
        out.get(..len).unwrap_or_default()
    }

    /// The key in `bytes`; `None` if they are none.
    #[must_use]
    pub fn read(bytes: &'a [u8]) -> Option<Self> {
        let mut bytes = Reader::new(bytes);
        let service = ServiceId::from_raw(bytes.u64()?);
        let kind = Kind::from_raw(bytes.u8()?)?;
        let unit = Unit::from_raw(bytes.u8()?)?;
        let is_overflow = bytes.flag()?;
        let name_bytes = bytes.u8()?;
        let name = NameBytes::new(bytes.bytes(name_bytes.into())?)?.metric_name()?;
        let labels = Labels::parse(LabelBytes::new(bytes.rest())?).ok()?;
        Some(Self { service, kind, unit, is_overflow, name, labels })
    }
}

/// For people: `requests_total{code="200"}`.
impl fmt::Display for SeriesKey<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name.as_str())?;
        let mut before = "{";
        for (key, value) in self.labels.fields().iter() {
            write!(f, "{before}{key}={value:?}")?;
            before = ",";
        }
        f.write_str(if before == "{" { "" } else { "}" })?;
        f.write_str(if self.is_overflow { " (overflow)" } else { "" })
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::{String, ToString as _};
    use alloc::vec::Vec;

    use proptest::prelude::*;

    use super::*;

    const ROOM: KeyBytes = [0; BYTES_MAX];

    fn key<'a>(name: &'a str, labels: &'a str) -> SeriesKey<'a> {
        SeriesKey {
            service: ServiceId::from_name("execd"),
            kind: Kind::Counter,
            unit: Unit::Bytes,
            is_overflow: false,
            name: MetricName::new(name).unwrap(),
            labels: Labels::parse(LabelBytes::new(labels.as_bytes()).unwrap()).unwrap(),
        }
    }

    #[test]
    fn a_key_is_shown_as_people_write_it() {
        assert_eq!(key("up", "").to_string(), "up");
        let both = key("requests_total", "code=200\npath=/\"a\n");
        assert_eq!(both.to_string(), r#"requests_total{code="200",path="/\"a"}"#);
        let overflow = SeriesKey { is_overflow: true, ..key("up", "a=b\n") };
        assert_eq!(overflow.to_string(), r#"up{a="b"} (overflow)"#);
    }

    #[test]
    fn what_is_no_key_is_refused() {
        let mut room = ROOM;
        let good = key("up", "a=b\n").write(&mut room).to_vec();
        assert!(SeriesKey::read(&good).is_some());
        for (at, wrong) in [(8, 0), (8, 4), (9, 8), (10, 2), (11, 0), (11, 49), (12, 7), (14, b'A')]
        {
            let mut bytes = good.clone();
            bytes[at] = wrong;
            assert_eq!(SeriesKey::read(&bytes), None, "{wrong} at {at}");
        }
        (0..14).for_each(|len| assert_eq!(SeriesKey::read(&good[..len]), None, "{len} bytes"));
        assert_eq!(SeriesKey::read(&good[..good.len() - 1]), None);
    }

    fn labels() -> impl Strategy<Value = String> {
        proptest::collection::btree_map("[a-c]{1,3}", "[ -~]{0,9}", 0..4)
            .prop_map(|map| map.into_iter().map(|(k, v)| k + "=" + &v + "\n").collect())
    }

    proptest! {
        #[test]
        fn any_key_comes_back(
            name in "[a-z_é]{1,24}", labels in labels(), service: u64, is_overflow: bool,
            kind in proptest::sample::select(Kind::ALL),
            unit in proptest::sample::select(Unit::ALL),
        ) {
            let service = ServiceId::from_raw(service);
            let key = SeriesKey { service, kind, unit, is_overflow, ..key(&name, &labels) };
            let mut room = ROOM;
            prop_assert_eq!(SeriesKey::read(key.write(&mut room)), Some(key));
        }

        #[test]
        fn any_bytes_are_one_key_or_none(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
            let mut room = ROOM;
            if let Some(key) = SeriesKey::read(&bytes) {
                prop_assert_eq!(key.write(&mut room), &bytes[..]);
            }
        }

        #[test]
        fn a_changed_key_is_another_key_or_none(at in 0..30_usize, byte: u8) {
            let mut room = ROOM;
            let mut bytes: Vec<u8> = key("requests", "code=200\n").write(&mut room).to_vec();
            if let Some(place) = bytes.get_mut(at) {
                *place = byte;
            }
            let mut again = ROOM;
            if let Some(key) = SeriesKey::read(&bytes) {
                prop_assert_eq!(key.write(&mut again), &bytes[..]);
            }
        }
    }
}
