//! A number is no series.

use nexus_wire::metrics::Request;

fn main() {
    let _update = Request::Update { series: 1_u64 << 32, value: 1 };
}
