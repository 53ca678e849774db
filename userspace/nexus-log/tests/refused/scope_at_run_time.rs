fn main() {
    let scope = String::from("login");
    nexus_log::info!(&scope, "a user came");
}
