use nexus_wire::metrics::Update;
use nexus_wire::{LabelBytes, NameBytes, SpanName};

fn update(labels: LabelBytes<'static>) -> Update<'static, u64> {
    Update { name: "jobs_total", labels, value: 1 }
}

fn named(name: SpanName<'static>) -> NameBytes<'static> {
    name.as_name_bytes()
}

fn main() {
    named("exec.path");
}
