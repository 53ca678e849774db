use nexus_metrics::{Secret, span};

fn main() {
    let _span = span!("login", password = Secret::new("hunter2"));
}
