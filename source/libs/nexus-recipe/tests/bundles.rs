//! The recipe of bundles: the shipped one is right, and each change to it is one error.
#![cfg(feature = "parse")]

use nexus_abi::Rights;
use nexus_recipe::BundlesRecipe;

const SHIPPED: &str = include_str!("../../../../recipes/system/bundles.toml");

/// Two bundles, which the shipped recipe may do without.
const BOOT: &str = r#"
[[boot]]
name = "demo.hello"
version = "1.0"
entry = "demo-hello"
program = "os-demo"
memory_kib = 64
needs = []

[[boot]]
name = "demo.reader"
version = "1.0"
entry = "demo-reader"
program = "os-demo"
memory_kib = 64
needs = ["read_logs", "scrape_metrics"]
"#;

/// The limits of the shipped recipe, and two bundles.
fn good() -> String {
    let limits = SHIPPED.split("\n[[boot]]").next().unwrap_or_default();
    format!("{limits}{BOOT}")
}

#[test]
fn the_shipped_recipe_is_right_and_so_is_one_without_a_bundle() {
    BundlesRecipe::parse(SHIPPED).unwrap();
    let recipe = BundlesRecipe::parse(&good()).unwrap();
    assert_eq!(recipe.boot[1].rights(), Rights::QUERY.with(Rights::SCRAPE));
    assert_eq!(recipe.boot[0].rights(), Rights::NONE);
}

#[test]
fn every_key_is_needed() {
    let good = good();
    for line in good.lines().filter(|line| line.contains(" = ")) {
        assert!(BundlesRecipe::parse(&good.replacen(line, "", 1)).is_err(), "{line}");
    }
}

#[test]
fn each_mistake_is_told_once_where_it_stands() {
    let good = good();
    for (from, to, key, what) in [
        ("bundles = 16", "bundles = 1", "bundlemgrd.bundles", "the boot image alone has 2"),
        ("bundles = 16", "bundles = 0", "bundlemgrd.bundles", "choose 1 to 1024"),
        ("= \"128 KiB\"", "= \"50 B\"", "bundlemgrd.bundle_bytes", "is impossible"),
        ("= \"128 KiB\"", "= 192", "bundlemgrd.bundle_bytes", "write a size with its unit"),
        ("= \"128 KiB\"", "= \"161 KiB\"", "bundlemgrd.bundle_bytes", "exceeds"),
        (
            "state_bytes = \"192 KiB\"",
            "state_bytes = \"159 KiB\"",
            "bundlemgrd.installer_bytes",
            "nobody could",
        ),
        ("waiting = 4\n# Who", "waiting = 65\n# Who", "bundlemgrd.waiting", "choose 1 to 64"),
        ("processes = 8", "processes = 65", "execd.processes", "choose 1 to 64"),
        ("recent_lines = 8", "recent_lines = 0", "execd.recent_lines", "choose 1 to 64"),
        ("recent_window = \"10 s\"", "recent_window = 10", "execd.recent_window", "a time"),
        ("\"demo.reader\"", "\"demo.hello\"", "boot[1].name", "is there already"),
        ("\"demo.reader\"", "\"9\"", "boot[1].name", "is no name"),
        ("\"1.0\"", "\"\"", "boot[0].version", "is no version"),
        ("\"demo-hello\"", "\"Demo\"", "boot[0].entry", "is no name"),
        ("memory_kib = 64", "memory_kib = 0", "boot[0].memory_kib", "choose 1 to 1048576"),
        ("\"scrape_metrics\"", "\"spawn\"", "boot[1].needs", "choose of `read_logs`"),
        ("\"scrape_metrics\"", "\"read_logs\"", "boot[1].needs", "stands here twice"),
        ("[execd]", "[execd]\nlives = 1", "execd.lives", "unknown key"),
    ] {
        let text = good.replacen(from, to, 1);
        assert_ne!(text, good, "{from}");
        let errors = BundlesRecipe::parse(&text).unwrap_err();
        let [error] = errors.as_slice() else { panic!("{to}: {}", errors.in_file("several")) };
        assert_eq!(error.key, key, "{error}");
        assert!(error.what.contains(what), "{error}");
        assert!(text.lines().nth(error.line as usize - 1).unwrap().contains('='), "{error}");
    }
}
