use nexus_log::{Secret, info};

fn main() {
    let password = Secret::new("hunter2");
    info!("login", "a user came with {password:?}");
}
