//! A number is no incarnation.

use nexus_abi::{Rights, Sender, ServiceId};

fn main() {
    let _sender = Sender::stamped(ServiceId::from_name("execd"), 7, 1_u32, Rights::NONE);
}
