use nexus_bounded::Nanos;
use nexus_retention::name::SegmentName;
use nexus_wire::metrics::{Moment, Range};
use nexus_wire::{HistoryLoss, Tier};

use super::archive::{Answer, Archive, PLAIN, SECOND, ask, expected, named};
use crate::bed::{Model, small};

const RANGE: Range<'_> = Range { tier: Tier::Raw, ..Range::ALL };
const NAME: SegmentName = SegmentName { boot: 3, first: 100 };

fn archive(bytes: Vec<u8>) -> Archive {
    let mut archive = Archive::default();
    archive.add(Tier::Raw, NAME, bytes);
    archive
}

/// What is answered is right; what is not is said to be lost.
fn check(archive: &Archive, model: &Model) -> Answer {
    let answer = ask(archive, RANGE, PLAIN).unwrap();
    let all = expected(&[(3, model)], &RANGE, Nanos(SECOND));
    for (who, step) in &answer.steps {
        assert_eq!(all.get(who), Some(step), "never a wrong number");
    }
    for ((who, number), _) in all.iter().filter(|(who, _)| !answer.steps.contains_key(who)) {
        let begin = Moment { boot: 3, mono_ns: number * SECOND };
        let says = answer.lost.iter().any(|(lost, of)| {
            lost.from <= begin && begin < lost.to && of.as_ref().is_none_or(|of| of == who)
        });
        // Where a whole segment is lost nobody knows how far it went.
        let of_all =
            answer.lost.iter().any(|(lost, of)| of.is_none() && lost.from.mono_ns == 100 * SECOND);
        assert!(says || of_all, "window {number} is missing and not said: {:?}", answer.lost);
    }
    answer
}

#[test]
fn any_bit_that_flips_costs_what_it_is_in_and_is_said() {
    let model = named(small());
    let bytes = model.write(4);
    let all = expected(&[(3, &model)], &RANGE, Nanos(SECOND)).len();
    let mut partly = 0;
    for at in 0..bytes.len() {
        for bit in [0, 3, 7] {
            let mut bytes = bytes.clone();
            bytes[at] ^= 1 << bit;
            let answer = check(&archive(bytes), &model);
            assert!(!answer.lost.is_empty() || answer.steps.len() == all, "byte {at}");
            partly += usize::from(!answer.steps.is_empty() && !answer.lost.is_empty());
        }
    }
    assert!(partly > bytes.len(), "most damage leaves the rest: {partly}");
}

#[test]
fn what_the_device_does_not_read_is_said() {
    let model = named(small());
    let bytes = model.write(4);
    for at in 0..bytes.len() as u32 {
        let mut archive = archive(bytes.clone());
        archive.unreadable = Some(at..at + 1);
        let answer = check(&archive, &model);
        let all = answer.lost.iter().all(|(lost, _)| lost.why == HistoryLoss::Unreadable);
        assert!(all, "{:?}", answer.lost);
    }
}

fn why(bytes: Vec<u8>) -> Vec<HistoryLoss> {
    let answer = check(&archive(bytes), &named(small()));
    assert!(answer.steps.is_empty());
    answer.lost.iter().map(|(lost, _)| lost.why).collect()
}

#[test]
fn a_segment_that_cannot_be_read_at_all_is_named_with_the_reason() {
    let bytes = named(small()).write(4);
    for len in 28..bytes.len() {
        let why = why(bytes[..len].to_vec());
        assert!(matches!(why[..], [HistoryLoss::Unsealed | HistoryLoss::Damaged]), "{why:?}");
    }
    (0..16).for_each(|len| assert_eq!(why(bytes[..len].to_vec()), [HistoryLoss::Damaged]));
    (16..28).for_each(|len| assert_eq!(why(bytes[..len].to_vec()), [HistoryLoss::Unsealed]));
    assert_eq!(why(vec![7; 500]), [HistoryLoss::Damaged]);
}

/// The checksum of a header whose version is changed is right.
#[test]
fn a_newer_format_is_named_and_never_misread() {
    let mut bytes = named(small()).write(4);
    bytes[8] = 2;
    let crc = crc::Crc::<u32>::new(&crc::CRC_32_ISCSI).checksum(&bytes[..12]);
    bytes[12..16].copy_from_slice(&crc.to_le_bytes());
    assert_eq!(why(bytes), [HistoryLoss::Foreign]);
}

#[test]
fn a_segment_under_another_name_is_not_taken_for_it() {
    let bytes = named(small()).write(4);
    for name in [SegmentName { boot: 4, first: 100 }, SegmentName { boot: 3, first: 99 }] {
        let mut archive = Archive::default();
        archive.add(Tier::Raw, name, bytes.clone());
        let answer = ask(&archive, RANGE, PLAIN).unwrap();
        assert!(answer.steps.is_empty(), "it is of another time");
        let why: Vec<_> = answer.lost.iter().map(|(lost, _)| lost.why).collect();
        assert_eq!(why, [HistoryLoss::Damaged]);
    }
}
