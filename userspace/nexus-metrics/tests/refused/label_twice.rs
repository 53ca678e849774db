fn main() {
    nexus_metrics::gauge!("depth", "cpu" => "0", "cpu" => "1").set(1);
}
