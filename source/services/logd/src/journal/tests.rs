//! The journal against a model that is a plain list and looks at everything.

use std::collections::BTreeMap;
use std::string::String;
use std::vec::Vec;

use nexus_abi::{Incarnation, Rights, Sender, SenderId};
use nexus_gate::{Budgets, Senders};
use nexus_recipe::Recipe;
use nexus_wire::Level;
use proptest::prelude::*;

use super::*;

const SEATS: u32 = 3;

/// A recipe whose journal holds 12 records and 24 blocks, 3 records and 7 blocks of them
/// guaranteed to each of 3 senders.
fn recipe() -> Recipe {
    let text = include_str!("../../../../../recipes/observability/metrics.toml");
    let mut recipe = Recipe::parse(text).unwrap();
    recipe.logd.senders = SEATS;
    recipe.logd.journal_records = 12;
    recipe.logd.journal_bytes = 24 * BLOCK_BYTES + 35;
    recipe.logd.share_records = 3;
    recipe.logd.share_bytes = 7 * BLOCK_BYTES + 35;
    recipe
}

const RECORDS: usize = 12;
const BLOCKS: usize = 24;
const SHARE_RECORDS: usize = 3;
const SHARE_BLOCKS: usize = 7;

/// Longest message whose blocks are within a share.
const MESSAGE_MAX: usize = SHARE_BLOCKS * 64 - 8;

#[derive(Clone, PartialEq, Eq, Debug)]
struct Kept {
    id: u64,
    at: u64,
    service: u64,
    seat: usize,
    message: String,
}

impl Kept {
    fn blocks(&self) -> usize {
        JournalBlocks::blocks_for(self.message.len())
    }
}

#[derive(Default)]
struct Model {
    kept: Vec<Kept>,
    gaps: BTreeMap<usize, Vec<(u64, u64)>>,
    total: u64,
    latest: u64,
}

impl Model {
    fn used(&self, seat: usize) -> (usize, usize) {
        let own = self.kept.iter().filter(|record| record.seat == seat);
        own.fold((0, 0), |(records, blocks), record| (records + 1, blocks + record.blocks()))
    }

    /// Drops the oldest record among those of seats above `share` in what `resource` picks.
    fn drop_one(
        &mut self,
        asking: usize,
        more: usize,
        share: usize,
        resource: impl Fn((usize, usize)) -> usize,
    ) -> usize {
        let above = |seat: usize| {
            let more = if seat == asking { more } else { 0 };
            resource(self.used(seat)) + more > if seat == 0 { 0 } else { share }
        };
        let victim = self.kept.iter().position(|record| above(record.seat)).unwrap();
        let gone = self.kept.remove(victim);
        self.gaps.entry(gone.seat).or_default().push((gone.id, gone.at));
        gone.seat
    }

    fn append(&mut self, seat: usize, service: u64, now: u64, message: &str) -> Vec<usize> {
        let blocks = JournalBlocks::blocks_for(message.len());
        let mut gone = Vec::new();
        while BLOCKS - self.kept.iter().map(Kept::blocks).sum::<usize>() < blocks {
            gone.push(self.drop_one(seat, blocks, SHARE_BLOCKS, |used| used.1));
        }
        while self.kept.len() >= RECORDS {
            gone.push(self.drop_one(seat, 1, SHARE_RECORDS, |used| used.0));
        }
        self.total += 1;
        self.latest = self.latest.max(now);
        let message = message.to_owned();
        self.kept.push(Kept { id: self.total, at: self.latest, service, seat, message });
        gone
    }

    fn evict(&mut self, seat: usize) {
        for record in self.kept.iter_mut().filter(|record| record.seat == seat) {
            record.seat = 0;
        }
        let lost = self.gaps.remove(&seat).unwrap_or_default();
        self.gaps.entry(0).or_default().extend(lost);
    }
}

fn kept(journal: &Journal) -> Vec<Kept> {
    let mut text = [0; TEXT_BYTES_MAX];
    let kept = journal.kept_within(0..journal.log.len());
    kept.map(|entry| {
        let record = journal.read(entry, &mut text);
        assert_eq!((record.scope, record.level, record.fields), ("", Level::Info, Fields::EMPTY));
        Kept {
            id: record.id.0,
            at: record.ts_ns,
            service: record.service.raw(),
            seat: entry.owner.index(),
            message: record.message.to_owned(),
        }
    })
    .collect()
}

fn gaps(journal: &Journal) -> Vec<Gap> {
    journal.queues.iter().map(|queue| queue.gap).collect()
}

fn model_gap(lost: &[(u64, u64)]) -> Gap {
    lost.iter().fold(Gap::NONE, |gap, (id, at)| gap.and(Gap::of(RecordId(*id), Mono(*at))))
}

fn sender(number: u8) -> SenderId {
    let service = ServiceId::from_name(&std::format!("s{number}"));
    Sender::stamped(service, 0, Incarnation::new(1), Rights::NONE).id
}

/// Both side by side, fed with the same.
struct Pair {
    journal: Journal,
    model: Model,
    senders: Senders,
}

impl Pair {
    fn new() -> Self {
        let recipe = recipe();
        let senders = Senders::new(SEATS, recipe.logd.sender_idle, Budgets::of_logd(&recipe));
        Self { journal: Journal::new(&recipe.logd, 0), model: Model::default(), senders }
    }

    fn append(&mut self, number: u8, now: u64, len: usize) {
        let id = sender(number);
        let seat = self.senders.seat(id, Mono(now));
        if seat.displaced.is_some() {
            self.journal.evict(seat.slot);
            self.model.evict(seat.slot.index());
        }
        let message = std::format!("{number}").repeat(len);
        let protected = self.protected(seat.slot.index());
        let service = id.service();
        let expected = self.model.append(seat.slot.index(), service.raw(), now, &message);
        let record = admitted(&message);
        let mut gone = Vec::new();
        let stored = self.journal.append(seat.slot, service, Mono(now), &record, |seat| {
            gone.push(seat.index());
        });
        assert_eq!(stored, RecordId(self.model.total));
        assert_eq!(gone, expected);
        self.check();
        let is_kept = |id| self.model.kept.iter().any(|record| record.id == id);
        assert!(protected.into_iter().all(is_kept), "nobody loses of his share to others");
    }

    /// Of each seat but the asking one's the newest records that its share holds.
    fn protected(&self, asking: usize) -> Vec<u64> {
        let mut protected = Vec::new();
        for seat in (1..=SEATS as usize).filter(|seat| *seat != asking) {
            let (mut records, mut blocks) = (0, 0);
            for record in self.model.kept.iter().rev().filter(|record| record.seat == seat) {
                (records, blocks) = (records + 1, blocks + record.blocks());
                if records > SHARE_RECORDS || blocks > SHARE_BLOCKS {
                    break;
                }
                protected.push(record.id);
            }
        }
        protected
    }

    fn check(&self) {
        let (journal, model) = (&self.journal, &self.model);
        assert_eq!(kept(journal), model.kept);
        let lost = |seat| model.gaps.get(&seat).map_or(Gap::NONE, |lost| model_gap(lost));
        let expected = (0..=SEATS as usize).map(lost).collect::<Vec<_>>();
        assert_eq!(gaps(journal), expected);
        let lost = model.gaps.values().map(Vec::len).sum::<usize>() as u64;
        assert_eq!((journal.total(), journal.dropped()), (model.total, lost));
        assert_eq!(u64::from(journal.kept()) + journal.dropped(), journal.total());
        let blocks = model.kept.iter().map(Kept::blocks).sum::<usize>() as u32;
        assert_eq!(journal.used_bytes(), blocks * BLOCK_BYTES);
        self.check_coverage();
        self.check_order();
    }

    /// Every record ever appended is kept or covered by a gap.
    fn check_coverage(&self) {
        for id in 1..=self.model.total {
            let is_kept = self.model.kept.iter().any(|record| record.id == id);
            let covered = self
                .journal
                .gaps()
                .any(|(_, gap)| gap.first_id <= RecordId(id) && RecordId(id) <= gap.last_id);
            assert!(is_kept || covered, "{id}");
        }
    }

    fn check_order(&self) {
        let (journal, log) = (&self.journal, &self.journal.log);
        let entries = (0..log.len()).map(|rank| log.ranked(rank)).collect::<Vec<_>>();
        assert!(entries.is_sorted_by(|a, b| a.id < b.id && a.at <= b.at));
        let mut backward = 0..log.len();
        let mut kept = Vec::new();
        while let Some((rank, entry)) = journal.last_kept(&backward) {
            (backward.end, _) = (rank, kept.push(entry.id));
        }
        assert!(journal.kept_within(0..log.len()).map(|entry| entry.id).eq(kept.into_iter().rev()));
        for (rank, entry) in entries.iter().enumerate() {
            assert_eq!(journal.behind(entry.id), rank + 1);
            let range = journal.range(entry.at, entry.at);
            assert!(range.contains(&rank));
            assert!(range.into_iter().all(|same| entries[same].at == entry.at));
        }
    }
}

proptest! {
    #[test]
    fn the_journal_keeps_and_loses_what_the_model_does(
        appends in prop::collection::vec((0u8..6, 0u64..5, 0usize..=MESSAGE_MAX), 1..160),
    ) {
        let mut pair = Pair::new();
        let mut now = 100;
        for (number, step, len) in appends {
            // A clock that goes back now and then: the journal's time does not.
            now = now + step - 1;
            pair.append(number, now, len);
        }
    }
}

#[test]
fn a_flood_leaves_everybody_elses_share_alone() {
    let mut pair = Pair::new();
    for number in [0, 1] {
        for at in 0..SHARE_RECORDS {
            pair.append(number, at as u64, 120);
        }
    }
    for at in 0..1000 {
        pair.append(2, 10 + at, at as usize % MESSAGE_MAX);
    }
    for seat in [1, 2] {
        assert_eq!(pair.model.used(seat), (SHARE_RECORDS, 2 * SHARE_RECORDS));
    }
    assert_eq!(pair.journal.gaps().count(), 1);
}

#[test]
fn who_was_silent_for_long_goes_on_behind_his_records_that_have_moved() {
    let mut pair = Pair::new();
    for round in 0..20 {
        for number in [0, 1] {
            pair.append(number, round, 10);
        }
        for _ in 0..40 {
            pair.append(2, round, 10);
        }
    }
    assert_eq!(pair.model.used(1), (SHARE_RECORDS, SHARE_RECORDS));
}

#[test]
fn a_share_that_is_full_in_one_resource_is_safe_in_the_other() {
    let mut pair = Pair::new();
    for at in 0..7 {
        pair.append(0, at, 1);
    }
    for at in 0..100 {
        pair.append(1, at, MESSAGE_MAX);
    }
    assert_eq!(pair.model.used(1), (7, 7), "above its records, which are not short");
    for at in 0..100 {
        pair.append(1, at, 0);
    }
    assert_eq!(pair.model.used(1).0, SHARE_RECORDS, "and now they are");
}

#[test]
fn records_of_the_evicted_go_first_among_the_old() {
    let mut pair = Pair::new();
    for number in 0..4 {
        pair.append(number, u64::from(number), 10);
    }
    assert_eq!(pair.model.used(0), (1, 1), "the first one lost its seat to the fourth");
    for at in 0..40 {
        pair.append(3, 10 + at, 100);
    }
    assert_eq!(pair.model.used(0), (0, 0));
    assert_eq!((pair.model.used(2), pair.model.used(3)), ((1, 1), (1, 1)));
}

#[test]
#[should_panic(expected = "guarantees are within the capacity")]
fn guarantees_beyond_the_capacity_are_our_own_error() {
    let mut recipe = recipe();
    recipe.logd.share_records = 20;
    let mut senders = Senders::new(SEATS, recipe.logd.sender_idle, Budgets::of_logd(&recipe));
    let mut journal = Journal::new(&recipe.logd, 0);
    for number in [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1] {
        let id = sender(number);
        let slot = senders.seat(id, Mono(0)).slot;
        let record = admitted("");
        journal.append(slot, id.service(), Mono(0), &record, |_| {});
    }
}

/// A record that is only a message.
fn admitted(message: &str) -> Admitted<'_> {
    let (message_len, text) = (message.len(), message.as_bytes());
    Admitted { level: Level::Info, scope_len: 0, message_len, text, redacted: 0 }
}
