fn main() {
    nexus_metrics::counter!("spawns_total", "service" => "execd").inc();
}
