use nexus_metrics::{CounterFamily, Secret, counter_family};

static LOGINS: CounterFamily<1> = counter_family!("logins_total", ["who"]);

fn main() {
    LOGINS.with([Secret::new("hunter2")]).inc();
}
