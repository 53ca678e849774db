//! An event does not outlive the frame it borrows, nor go to a thread that might.

use nexus_abi::{Incarnation, Rights, Sender, ServiceId};
use nexus_port::{Event, Token};

/// What `std::thread::spawn` asks.
fn elsewhere(_: impl Send + 'static) {}

fn main() {
    let from = Sender::stamped(ServiceId::from_name("a"), 1, Incarnation::new(1), Rights::NONE);
    let frame = [0; 16];
    elsewhere(Event::Request { from, token: Token::from_raw(1), frame: &frame });
}
