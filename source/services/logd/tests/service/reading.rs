//! Appending and reading as producers and readers see it.

use crate::rig::*;
use nexus_abi::ServiceId;
use nexus_port::{Event, Service};
use nexus_wire::RecordId;
use nexus_wire::logs::Search;

#[test]
fn logd_is_ready_when_its_own_record_was_read_back_and_not_before() {
    let mut logd = logd::Logd::new(&recipe(), 7);
    assert!(logd.deadline().is_some(), "it wants to be woken for its proof");
    let mut rig = Rig::new(&recipe());
    assert_eq!(rig.world.lines, ["logd: ready"]);
    assert_eq!(rig.logd.deadline(), None);
    let found = rig.search_all(Search::ALL);
    let [ready] = found.as_slice() else { panic!("{found:?}") };
    assert_eq!((ready.id, ready.scope.as_str(), ready.message.as_str()), (1, "logd", "ready"));
    assert_eq!(ready.service, ServiceId::from_name("logd"));
    assert_eq!(ready.fields, "boot=7\n");
    logd.handle(nexus_port::Now { mono: rig.now, wall: None }, Event::Stop, &mut rig.world);
    assert!(logd.stopped());
}

#[test]
fn logd_is_not_ready_when_its_own_record_is_refused() {
    let mut recipe = strict_recipe();
    recipe.redaction.deny_prefixes = ["ready".to_owned()].into();
    let mut rig = Rig::new(&recipe);
    assert!(!rig.world.lines.contains(&"logd: ready".to_owned()));
    assert!(rig.status().contains(&("ready".to_owned(), "0".to_owned())));
}

#[test]
fn what_was_appended_is_read_whole() {
    let mut rig = Rig::new(&recipe());
    let (scope, message) = ("s".repeat(64), "m".repeat(256));
    let fields = format!("a={}\nb={}\n", "x".repeat(250), "y".repeat(256));
    assert_eq!(fields.len(), 512);
    let id = rig.accept(producer(PRODUCER), record(&scope, &message, &fields));
    let found = rig.search(Search { id: RecordId(id.0 - 1), ..Search::ALL }).found;
    let [seen] = found.as_slice() else { panic!("{found:?}") };
    assert_eq!((&seen.scope, &seen.message, &seen.fields), (&scope, &message, &fields));
    assert_eq!(seen.service, ServiceId::from_name(PRODUCER));
    assert_eq!(seen.ts_ns, rig.now.0);
}
