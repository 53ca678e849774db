//! A bundle carries the whole file of its program: it goes without what only debuggers read.

fn main() {
    if std::env::var("CARGO_CFG_TARGET_OS").is_ok_and(|system| system == "none") {
        println!("cargo::rustc-link-arg-bins=-s");
    }
}
