//! The shipped recipes: they parse, every key of theirs is documented and needed, and whatever
//! becomes of their text, the parser answers.
#![cfg(feature = "parse")]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;

use nexus_recipe::{OnSecret, Recipe};
use proptest::prelude::*;

const METRICS: &str = include_str!("../../../../recipes/observability/metrics.toml");
const DEVICE: &str = include_str!("../../../../recipes/observability/device-2mib.toml");
const GUEST: &str = include_str!("../../../../recipes/observability/guest.toml");
const SHIPPED: [(&str, &str); 3] =
    [("metrics.toml", METRICS), ("device-2mib.toml", DEVICE), ("guest.toml", GUEST)];

/// A key or table header with its value, which may go over several lines.
struct Statement {
    /// Indices of its lines.
    lines: std::ops::Range<usize>,
    /// `[table]`, or the key with its tables.
    key: String,
}

fn statements(text: &str) -> Vec<Statement> {
    let lines = text.lines().collect::<Vec<_>>();
    let mut out = Vec::new();
    let (mut table, mut at) = (String::new(), 0);
    while at < lines.len() {
        let line = lines[at];
        let start = at;
        at += 1;
        if line.starts_with('[') {
            table = line.trim_matches(['[', ']']).to_owned();
            out.push(Statement { lines: start..at, key: line.to_owned() });
        } else if let Some((key, _)) = line.split_once(" = ").filter(|_| !line.starts_with('#')) {
            if line.ends_with('[') {
                at += lines[at..].iter().position(|line| *line == "]").unwrap() + 1;
            }
            out.push(Statement { lines: start..at, key: format!("{table}.{key}") });
        }
    }
    out
}

#[test]
fn all_shipped_recipes_are_right() {
    for (name, text) in SHIPPED {
        if let Err(errors) = Recipe::parse(text) {
            panic!("{}", errors.in_file(name));
        }
    }
}

#[test]
fn the_large_recipe_grants_what_the_frames_can_carry_to_64_senders() {
    let recipe = Recipe::parse(METRICS).unwrap();
    assert_eq!(
        (recipe.logd.scope_bytes, recipe.logd.message_bytes, recipe.logd.fields_bytes),
        (64, 256, 512)
    );
    assert_eq!((recipe.logd.senders, recipe.metricsd.senders), (64, 64));
    assert_eq!(recipe.redaction.on_secret, OnSecret::Replace);
    assert_eq!(recipe.senders.len(), 12);
}

#[test]
fn buckets_come_longest_prefix_first() {
    let recipe = Recipe::parse(METRICS).unwrap();
    let lengths = recipe.metricsd.buckets.iter().map(|rule| rule.prefix.len());
    assert!(lengths.rev().is_sorted());
}

/// Only the guest has somebody who starts the others, a source of entropy and other endpoints.
const OF_THE_GUEST: [&str; 5] =
    ["init", "dsoftbusd-peer", "dsoftbusd-rough", "dsoftbusd-stranger", "entropyd"];

/// What a recipe says of a service that has what all have.
fn common(name: &str) -> String {
    format!(
        "[[senders]]\nname = \"{name}\"\nuid = \"none\"\nlogd_budget = \"common\"\n\
         metricsd_budget = \"common\"\n\n"
    )
}

/// A recipe behind its head, without the values that set its sizes.
fn form(text: &str) -> Vec<&str> {
    let (_, body) = text.split_at(text.find("\n[logd]").unwrap());
    let sizes = |line: &&str| !line.ends_with(['[', ',', ']']) && !line.starts_with('#');
    let form = |line| if sizes(&line) { line.split(" = ").next().unwrap() } else { line };
    body.lines().map(form).collect()
}

#[test]
fn recipes_differ_in_their_heads_and_sizes_only() {
    for name in OF_THE_GUEST {
        assert!(GUEST.contains(&common(name)), "the guest knows its {name}");
    }
    for (name, text) in SHIPPED {
        let without = |text: String, name: &&str| text.replace(&common(name), "");
        let others = OF_THE_GUEST.iter().fold(text.to_owned(), without);
        for (line, expected) in form(&others).into_iter().zip(form(METRICS)) {
            assert_eq!(line, expected, "{name} beside metrics.toml");
        }
        assert_eq!(form(&others).len(), form(METRICS).len(), "{name}");
        let (recipe, large) = (Recipe::parse(text).unwrap(), Recipe::parse(METRICS).unwrap());
        assert_eq!(recipe.redaction, large.redaction, "{name}");
    }
}

#[test]
fn every_key_is_documented_by_a_comment_above_its_first_use() {
    for (name, text) in SHIPPED {
        let lines = text.lines().collect::<Vec<_>>();
        let mut known = BTreeSet::new();
        for statement in statements(text) {
            let above = lines[statement.lines.start.saturating_sub(1)];
            let first = known.insert(statement.key.clone());
            let grouped = ["[logd]", "[metricsd]", "[[senders]]"].contains(&&*statement.key);
            assert!(
                !first || grouped || above.starts_with('#'),
                "{name}:{}: {} has no comment",
                statement.lines.start + 1,
                statement.key
            );
        }
    }
}

#[test]
fn without_any_one_key_there_is_an_error_that_names_it() {
    for (name, text) in SHIPPED {
        for statement in statements(text) {
            let lines = text.lines().enumerate();
            let rest = lines
                .filter(|(index, _)| !statement.lines.contains(index))
                .map(|(_, line)| format!("{line}\n"))
                .collect::<String>();
            let errors = Recipe::parse(&rest).expect_err(&statement.key);
            let Some((table, key)) = statement.key.rsplit_once('.') else { continue };
            if table.starts_with('[') {
                continue;
            }
            let named = errors.as_slice().iter().any(|error| {
                error.what.contains("missing")
                    && error.key.starts_with(table)
                    && error.key.ends_with(&format!(".{key}"))
            });
            assert!(named, "without {}: {}", statement.key, errors.in_file(name));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_becomes_of_a_recipe_the_parser_answers(
        cuts in prop::collection::vec(
            (any::<prop::sample::Index>(), 0usize..40, "\\PC{0,6}|[\\[\\]{}\"'=.,#\n0-9 -]{0,4}"),
            1..8,
        ),
    ) {
        let mut text = DEVICE.chars().collect::<Vec<_>>();
        for (at, len, put) in cuts {
            let at = at.index(text.len());
            let end = text.len().min(at + len);
            text.splice(at..end, put.chars());
        }
        let text = text.into_iter().collect::<String>();
        if let Err(errors) = Recipe::parse(&text) {
            let lines = errors.as_slice().iter().map(|error| error.line).collect::<Vec<_>>();
            prop_assert!(!lines.is_empty());
            prop_assert!(lines.is_sorted());
            let count = u32::try_from(text.lines().count()).unwrap();
            prop_assert!(lines.iter().all(|line| (1..=count + 1).contains(line)));
        }
    }

    #[test]
    fn no_text_makes_the_parser_panic(text in any::<String>()) {
        prop_assert!(Recipe::parse(&text).is_err());
    }
}
