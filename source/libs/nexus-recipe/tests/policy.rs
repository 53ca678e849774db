//! The policy of a system: the shipped one is right, and each change to it is one error.
#![cfg(feature = "parse")]

use nexus_abi::Rights;
use nexus_recipe::{Policy, StateRecipe};

const SHIPPED: &str = include_str!("../../../../recipes/system/policy.toml");
const STATE: &str = include_str!("../../../../recipes/observability/state.toml");

/// One rule of each kind.
const GOOD: &str = r#"
image = "image"
read_logs = ["a", "b"]
scrape_metrics = ["b"]
ask_for_others = ["execd"]
install_bundle = [{ who = "a", what = ["demo.hello"] }]

[audit]
records_per_s = 4
records_burst = 16

[[spawn]]
who = "a"
what = ["demo.hello", "demo.bye"]

[[write_state]]
who = "a"
what = ["a/"]

[[write_state]]
who = "b"
what = ["b/logs/"]

[[open_session]]
who = "a"
what = ["b"]
"#;

fn entries() -> Vec<String> {
    ["a", "b", "execd"].map(str::to_owned).into()
}

#[test]
fn rights_are_what_the_policy_grants_and_nobody_else_has_any() {
    let policy = Policy::parse_for(GOOD, &entries()).unwrap();
    assert_eq!(policy.rights("a"), Rights::QUERY);
    assert_eq!(policy.rights("b"), Rights::QUERY.with(Rights::SCRAPE));
    assert_eq!(policy.rights("execd"), Rights::NONE);
    assert_eq!(policy.rights("stranger"), Rights::NONE);
}

#[test]
fn the_shipped_policy_grants_everybody_the_files_that_the_state_disk_keeps_for_it() {
    let policy = Policy::parse(SHIPPED).unwrap();
    let disk = StateRecipe::parse(STATE).unwrap();
    let shares = disk.shares.iter().map(|share| (share.name.clone(), format!("{}/", share.name)));
    let granted = policy.write_state.iter().flat_map(|rule| {
        rule.what.iter().map(|prefix| (rule.who.clone(), prefix.clone())).collect::<Vec<_>>()
    });
    let [mut shares, mut granted] = [shares.collect::<Vec<_>>(), granted.collect()];
    shares.sort();
    granted.sort();
    assert_eq!(shares, granted);
}

#[test]
fn every_key_is_needed() {
    for line in GOOD.lines().filter(|line| line.contains(" = ")) {
        assert!(Policy::parse(&GOOD.replacen(line, "", 1)).is_err(), "{line}");
    }
}

#[test]
fn each_mistake_is_told_once_where_it_stands() {
    for (from, to, line, key, what) in [
        ("\"a\", \"b\"", "\"a\", \"c\"", 3, "read_logs[1]", "`c` is no entry of `image`"),
        ("\"a\", \"b\"", "\"a\", \"a\"", 3, "read_logs", "stands here twice"),
        ("[\"b\"]", "[\"B\"]", 4, "scrape_metrics", "no service name"),
        ("[\"execd\"]", "true", 5, "ask_for_others", "write an array of strings"),
        ("who = \"a\", ", "who = \"c\", ", 6, "install_bundle[0].who", "is no entry"),
        ("records_per_s = 4", "records_per_s = 0", 9, "audit.records_per_s", "choose 1 to 1000"),
        ("\"demo.hello\", \"demo.bye\"", "", 14, "spawn[0].what", "this grants nothing"),
        ("\"demo.bye\"", "\"demo.hello\"", 14, "spawn[0].what", "stands here twice"),
        ("[\"a/\"]", "[\"a\"]", 18, "write_state[0].what", "no prefix"),
        ("[\"a/\"]", "[\"../\"]", 18, "write_state[0].what", "no prefix"),
        ("who = \"b\"", "who = \"a\"", 21, "write_state[1].who", "has a rule of this kind already"),
        ("what = [\"b\"]", "what = [\"c\"]", 26, "open_session[0].what[0]", "is no entry"),
        ("[[spawn]]", "[[spawn]]\nwhom = 1", 13, "spawn[0].whom", "unknown key"),
        ("read_logs", "read_log", 2, "read_logs", "this key is missing"),
    ] {
        let text = GOOD.replacen(from, to, 1);
        assert_ne!(text, GOOD, "{from}");
        let errors = Policy::parse_for(&text, &entries()).unwrap_err();
        let error = errors.as_slice().iter().find(|error| error.key == key);
        let Some(error) = error else { panic!("{to}: {}", errors.in_file("others")) };
        assert!(error.what.contains(what), "{error}");
        if !what.contains("missing") {
            assert_eq!((error.line, errors.as_slice().len()), (line, 1), "{errors}");
        }
    }
}
