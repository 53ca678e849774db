fn main() {
    nexus_metrics::counter!("Exec Spawns").inc();
}
