fn main() {
    nexus_log::info!("login", "a user came"; pid = 1, pid = 2);
}
