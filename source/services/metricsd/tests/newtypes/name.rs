//! A string is no name and no labels.

use nexus_wire::metrics::{Request, Update};

fn main() {
    let _count = Request::CounterInc(Update { name: "jobs_total", labels: "k=v\n", value: 1 });
}
