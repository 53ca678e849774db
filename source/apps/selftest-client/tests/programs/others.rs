//! What is refused to others, and files beyond what is ours; and worlds in which it is not.

use nexus_recipe::{ShareRule, StateRecipe};
use nexus_wire::bundles::BundleStatus;
use nexus_wire::markers;
use selftest_client::{FILES, OTHERS};

use crate::asking;
use crate::lies::Lies;
use crate::world::Simulated;
use crate::{NONE, fails_without, lines};

fn others(lies: Lies) -> (bool, Vec<String>) {
    let mut sim = Simulated::new("execd", lies);
    let hoard = asking::bundle("demo.hoard", 60_000);
    assert_eq!(sim.install("demo.hoard", &hoard), BundleStatus::Ok);
    // Whoever takes another for us has to have seen us.
    for name in ["logd", "policyd"] {
        sim.answer(name, &[]);
    }
    let all_hold = sim.prove(&[FILES, OTHERS]);
    (all_hold, sim.console)
}

/// How the intruder ends, as execd reports it.
fn code(console: &[String]) -> Option<&str> {
    let report = console.iter().find(|line| line.ends_with("name=demo.intruder"))?;
    report.split_once("code=")?.1.split(' ').next()
}

#[test]
fn whatever_others_try_is_refused_and_what_we_have_goes_on() {
    let (all_hold, console) = others(NONE);
    // metricsd had refused nothing to anybody before.
    let first = [markers::METRICSD_REJECT_INVALID_ARGS].to_vec();
    assert_eq!(console, [lines(&[FILES]), first, lines(&[OTHERS])].concat());
    assert!(all_hold);
}

fn is_found(lies: Lies, by: &str) {
    let (all_hold, console) = others(lies);
    assert_eq!(code(&console), Some(by), "{lies:?}: {console:?}");
    fails_without(markers::SELFTEST_OTHER_SENDERS, (all_hold, console), lies);
}

#[test]
fn whoever_takes_the_intruder_for_us_is_found_and_named() {
    for (mistaken, by) in [
        ("logd", "1"),
        ("metricsd", "2"),
        ("statefsd", "3"),
        ("policyd", "4"),
        ("timed", "5"),
        ("bundlemgrd", "6"),
        ("execd", "7"),
        ("dsoftbusd", "8"),
    ] {
        is_found(Lies { mistaken: Some(mistaken), ..NONE }, by);
    }
}

/// The intruder has a share of the disk.
fn share(recipe: &mut StateRecipe) {
    let share = ShareRule { name: "demo-intruder".to_owned(), bytes: 4096, files: 1, open: 1 };
    recipe.shares = recipe.shares.iter().cloned().chain([share]).collect();
}

/// Our share of the disk.
fn ours(recipe: &mut StateRecipe) -> &mut ShareRule {
    recipe.shares.iter_mut().find(|share| share.name == "selftest-client").unwrap()
}

#[test]
fn a_statefsd_that_gives_more_files_more_that_grow_or_more_requests_is_found() {
    let more: [fn(&mut StateRecipe); 3] = [
        |recipe| ours(recipe).files += 1,
        |recipe| ours(recipe).open += 1,
        |recipe| {
            recipe.statefsd.budget.bytes_burst = 1 << 30;
            recipe.statefsd.budget.events_burst = 1 << 30;
        },
    ];
    for change in more {
        let lies = Lies { state: Some(change), ..NONE };
        fails_without(markers::SELFTEST_STATEFSD, others(lies), lies);
    }
}

#[test]
fn an_intruder_that_may_read_has_a_share_or_may_start_programs_is_found() {
    is_found(Lies { may_read: true, ..NONE }, "1");
    is_found(Lies { state: Some(share), ..NONE }, "3");
    is_found(Lies { may_start: true, ..NONE }, "7");
}

#[test]
fn an_entropyd_that_gives_two_the_same_is_found() {
    let lies = Lies { repeats: true, ..NONE };
    fails_without(markers::SELFTEST_OTHER_SENDERS, others(lies), lies);
}

/// What is not as often refused as it was tried, or for another reason, is not what was tried.
#[test]
fn refusals_that_are_counted_as_others_are_no_proof() {
    let lies = Lies { confuses_uploads: true, ..NONE };
    fails_without(markers::SELFTEST_OTHER_SENDERS, others(lies), lies);
}
