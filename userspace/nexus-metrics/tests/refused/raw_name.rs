fn main() {
    let _counter = nexus_metrics::global().counter("spawns_total", &[]);
}
