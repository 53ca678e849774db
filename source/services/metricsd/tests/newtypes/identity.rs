//! A number is no authenticated sender.

use nexus_abi::{ExitReason, Incarnation};
use nexus_port::Event;

fn main() {
    let _gone = Event::PeerGone {
        id: 0x32c5_f2e0_1449_7e76_u64,
        incarnation: Incarnation::new(1),
        reason: ExitReason::Disconnected,
    };
}
