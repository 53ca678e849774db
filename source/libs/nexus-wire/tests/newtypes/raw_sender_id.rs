use nexus_abi::{SenderId, ServiceId};

fn decide(_: SenderId) {}

fn main() {
    decide(7);
    // A number out of a frame is a statement about somebody, not a stamp.
    decide(ServiceId::from_raw(7));
    decide(SenderId(ServiceId::from_raw(7)));
}
