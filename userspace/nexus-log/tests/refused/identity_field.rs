fn main() {
    nexus_log::info!("login", "a user came"; service = "execd");
}
