use nexus_log::{Secret, info};

fn main() {
    info!("login", "a user came"; password = Secret::new("hunter2"));
}
