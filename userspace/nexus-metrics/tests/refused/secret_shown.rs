use nexus_metrics::Secret;

fn main() {
    let secret = Secret::new("hunter2");
    println!("{secret} {secret:?}");
}
