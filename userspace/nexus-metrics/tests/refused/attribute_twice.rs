fn main() {
    let _span = nexus_metrics::span!("exec.path", bundle = "a", bundle = "b");
}
