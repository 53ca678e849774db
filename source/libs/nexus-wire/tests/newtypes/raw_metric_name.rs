use nexus_wire::{Help, MetricName, Scope};

fn take(_: MetricName<'_>, _: Help<'_>, _: Scope<'_>) {}

fn main() {
    take("jobs_total", "Jobs done", "mail");
}
