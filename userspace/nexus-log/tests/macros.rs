//! What the macros make of what is said to them.

use std::cell::Cell;
use std::fmt;

use nexus_log::{Level, debug, error, info, memory, set_level, trace, warn};

#[test]
fn fields_are_sorted_by_key_and_arguments_captured() {
    let captured = memory::capture();
    let (pid, name) = (7, "demo.hello");
    info!("execd", "spawned {name} as {}", pid; pid = pid, "exit.code" = -3, bundle = name);
    let records = captured.records();
    assert_eq!(records.len(), 1);
    assert_eq!((records[0].level, records[0].scope.as_str()), (Level::Info, "execd"));
    assert_eq!(records[0].message, "spawned demo.hello as 7");
    assert_eq!(records[0].fields, "bundle=demo.hello\nexit.code=-3\npid=7\n");
}

#[test]
fn nothing_is_evaluated_while_the_level_is_off() {
    let captured = memory::capture();
    let evaluated = Cell::new(0);
    let note = || {
        evaluated.set(evaluated.get() + 1);
        1
    };
    debug!("test", "{}", note(); value = note());
    trace!("test", "{}", note());
    assert_eq!((evaluated.get(), captured.records().len()), (0, 0));
    set_level(Some(Level::Debug));
    debug!("test", "{}", note(); value = note());
    set_level(None);
    error!("test", "{}", note());
    set_level(Some(Level::Info));
    assert_eq!((evaluated.get(), captured.records().len()), (2, 1));
}

#[test]
fn a_long_message_is_cut_between_characters_and_says_so() {
    let captured = memory::capture();
    warn!("test", "{}", "ä".repeat(200));
    let record = captured.records().remove(0);
    assert_eq!(record.message, format!("{}…", "ä".repeat(126)));
    assert_eq!(record.cut, 148);
}

#[test]
fn a_value_of_several_lines_becomes_one() {
    let captured = memory::capture();
    error!("test", "failed"; reason = "one\ntwo");
    assert_eq!(captured.records()[0].fields, "reason=one\\ntwo\n");
}

#[test]
fn fields_that_do_not_fit_are_left_out_and_counted() {
    let captured = memory::capture();
    let long = "x".repeat(250);
    info!("test", "much"; a = &long, b = &long, c = 1);
    let record = captured.records().remove(0);
    assert_eq!(record.fields, format!("a={long}\nc=1\n"));
    assert_eq!((record.cut, record.fields_cut), (0, 1));
}

#[test]
fn a_display_that_fails_leaves_what_it_wrote() {
    struct Broken;
    impl fmt::Display for Broken {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("half")?;
            Err(fmt::Error)
        }
    }
    let captured = memory::capture();
    info!("test", "{}", Broken);
    let record = captured.records().remove(0);
    assert_eq!((record.message.as_str(), record.cut), ("half…", 1));
}

#[test]
fn a_panic_is_logged_with_its_place_and_then_treated_as_before() {
    let captured = memory::capture();
    std::panic::set_hook(Box::new(|_| {}));
    nexus_log::install_panic_hook(|| {});
    let joined = std::thread::Builder::new()
        .name("worker".into())
        .spawn(|| panic!("disk {} is gone", 3))
        .map(std::thread::JoinHandle::join);
    assert!(matches!(joined, Ok(Err(_))));
    let record = captured.records().remove(0);
    assert_eq!((record.level, record.scope.as_str()), (Level::Error, "panic"));
    assert_eq!(record.message, "disk 3 is gone");
    assert!(
        record.fields.contains("file=userspace/nexus-log/tests/macros.rs\n"),
        "{}",
        record.fields
    );
    assert!(record.fields.ends_with("thread=worker\n"), "{}", record.fields);
}
