//! What a first process is asked where services are ended from outside.

use nexus_abi::ServiceId;
use nexus_bounded::Nanos;
use nexus_bounded::bytes::{Put as _, Reader, Slot};

const END: u8 = 1;
const SERVES: u8 = 2;

/// What the first process is asked about one of its children. The answer is one byte: 1 if it is
/// so, or will be done.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Order {
    /// End it, so long from now.
    End {
        /// Whom.
        service: ServiceId,
        /// How long from now.
        after: Nanos,
    },
    /// Whether it serves.
    Serves {
        /// Who.
        service: ServiceId,
    },
}

impl Order {
    /// Bytes of an order.
    pub const BYTES: usize = 17;

    /// What is asked, who it is about and after how many nanoseconds, numbers little-endian.
    #[must_use]
    pub fn to_bytes(self) -> [u8; Self::BYTES] {
        let (what, service, Nanos(after)) = match self {
            Self::End { service, after } => (END, service, after),
            Self::Serves { service } => (SERVES, service, Nanos(0)),
        };
        let mut bytes = [0; Self::BYTES];
        let mut to = Slot::new(&mut bytes);
        to.u8(what);
        to.u64(service.raw());
        to.u64(after);
        bytes
    }

    /// `None`: they are no order.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let mut from = Reader::new(bytes);
        let (what, service, after) = (from.u8()?, from.u64()?, Nanos(from.u64()?));
        from.end()?;
        let service = ServiceId::from_raw(service);
        match what {
            END => Some(Self::End { service, after }),
            SERVES if after == Nanos(0) => Some(Self::Serves { service }),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;

    const SERVICE: ServiceId = ServiceId::from_name("execd");

    #[test]
    fn orders_come_back_from_their_bytes() {
        let end = Order::End { service: SERVICE, after: Nanos::from_millis(100) };
        for order in [end, Order::Serves { service: SERVICE }] {
            assert_eq!(Order::from_bytes(&order.to_bytes()), Some(order));
        }
    }

    #[test]
    fn what_is_too_short_too_long_or_unknown_is_no_order() {
        let good = Order::Serves { service: SERVICE }.to_bytes();
        let with = |at: usize, to: u8| {
            let mut bytes = good;
            bytes[at] = to;
            bytes.to_vec()
        };
        let others = [vec![], good[..16].to_vec(), [&good[..], &[0]].concat()];
        for bytes in others.into_iter().chain([with(0, 0), with(0, 3), with(16, 1)]) {
            assert_eq!(Order::from_bytes(&bytes), None, "{bytes:?}");
        }
    }
}
