//! The recipe of a state disk: the shipped one is right, and each change to it is one error.
#![cfg(feature = "parse")]

use nexus_recipe::StateRecipe;

const GOOD: &str = include_str!("../../../../recipes/observability/state.toml");

#[test]
fn the_shipped_recipe_is_right() {
    let recipe = StateRecipe::parse(GOOD).unwrap();
    assert_eq!((recipe.statefsd.disk_bytes, recipe.shares[0].bytes), (5 << 20, 2624 << 10));
    assert_eq!(recipe.shares[1].name, "logd");
}

#[test]
fn every_key_is_needed() {
    for line in GOOD.lines().filter(|line| line.contains(" = ")) {
        assert!(StateRecipe::parse(&GOOD.replacen(line, "", 1)).is_err(), "{line}");
    }
}

#[test]
fn each_mistake_is_told_once_where_it_stands() {
    for (from, to, key, what) in [
        ("\"5 MiB\"", "\"5000000 B\"", "statefsd.disk_bytes", "whole sectors"),
        ("\"5 MiB\"", "\"4 MiB\"", "statefsd.disk_bytes", "4 MiB is less than 4288 KiB"),
        ("files = 120", "files = 112", "statefsd.files", "112 is less than 113"),
        ("open = 18", "open = 17", "statefsd.open", "less than 18"),
        ("open = 18", "open = 121", "statefsd.open", "a file that grows is a file"),
        ("pending = 4", "pending = 65", "statefsd.pending", "choose 1 to 64"),
        ("\"1 s\"", "\"61 s\"", "statefsd.retry_min", "where pauses begin"),
        ("\"logd\"", "\"metricsd\"", "shares[1].name", "has a share already"),
        ("\"logd\"", "\"a-name-of-24-bytes-here.\"", "shares[1].name", "too long to own files"),
        ("\"logd\"", "\"Logd\"", "shares[1].name", "no service name"),
        ("[[shares]]", "[[shares]]\nuid = 1", "shares[0].uid", "unknown key"),
    ] {
        let errors = StateRecipe::parse(&GOOD.replacen(from, to, 1)).unwrap_err();
        let [error] = errors.as_slice() else { panic!("{to}: {}", errors.in_file("several")) };
        assert_eq!(error.key, key, "{error}");
        assert!(error.what.contains(what), "{error}");
    }
}
