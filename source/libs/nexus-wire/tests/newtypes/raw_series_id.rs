use nexus_wire::metrics::Request;

fn main() {
    let _ = Request::Update { series: 7, value: 1 };
}
