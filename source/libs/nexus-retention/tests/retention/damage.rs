//! Segments that are not what they were.

use nexus_retention::segment::{Segment, SegmentError, Source};

use crate::bed::{Model, small};

/// Whether what was read is part of what was written.
fn is_part(read: &Model, whole: &Model) -> bool {
    read.series.iter().all(|series| {
        let same = whole.series.iter().find(|known| known.key == series.key);
        let is_same = |known: &crate::bed::Series| {
            (known.kind, &known.bounds) == (series.kind, &series.bounds)
                && read.windows.iter().zip(&series.values).all(|(window, value)| {
                    let at = whole.windows.iter().position(|known| known == window);
                    value.is_none() || at.is_some_and(|at| known.values[at] == *value)
                })
        };
        same.is_some_and(is_same)
    })
}

#[test]
fn every_flipped_bit_is_told_and_gives_no_wrong_number() {
    let whole = small();
    let bytes = whole.write(4);
    for bit in 0..bytes.len() * 8 {
        let mut flipped = bytes.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        match Model::read(&flipped) {
            Ok((read, is_damaged)) => {
                assert!(is_damaged, "bit {bit}: silent");
                assert!(is_part(&read, &whole), "bit {bit}: {read:?}");
                assert!(Segment::open(&flipped[..]).unwrap().check().is_err(), "bit {bit}");
            }
            Err(error) => assert!(!error.to_string().is_empty(), "bit {bit}"),
        }
    }
}

#[test]
fn every_cut_is_told() {
    let bytes = small().write(4);
    for cut in 0..bytes.len() {
        let error = Model::read(&bytes[..cut]).unwrap_err();
        let expected: &[SegmentError] = match cut {
            0..8 => &[SegmentError::NotASegment],
            _ => &[SegmentError::Unsealed],
        };
        let is_header = matches!(error, SegmentError::Damaged(at) if at.offset == 0);
        assert!(
            expected.contains(&error) || (8..16).contains(&cut) && is_header,
            "{cut}: {error:?}"
        );
    }
    let mut longer = bytes.clone();
    longer.push(0);
    assert!(Model::read(&longer).is_err());
}

#[test]
fn a_damaged_group_costs_itself_only() {
    let whole = small();
    let bytes = whole.write(4);
    let group = Segment::open(&bytes[..]).unwrap().footer().groups()[1];
    // The block in front of the index holds the chunks of the second group.
    let mut damaged = bytes.clone();
    damaged[group.index.offset as usize - 5] ^= 1;
    let (read, is_damaged) = Model::read(&damaged).unwrap();
    assert!(is_damaged && is_part(&read, &whole));
    assert_eq!(read.series[0].values[..4], whole.series[0].values[..4]);
    assert_eq!(read.series[0].values[4..], [None, None, None, None]);
}

#[test]
fn blocks_in_each_others_place_are_told() {
    // Two groups that are alike, so that their blocks have the same length.
    let mut whole = small();
    whole.series.truncate(1);
    for (value, at) in whole.series[0].values.iter_mut().zip(0_u64..) {
        *value = Some(crate::bed::Value::Counter([1, 9, 4, 2, 5, 3, 7, 1][at as usize]));
    }
    let bytes = whole.write(4);
    let groups: Vec<_> = Segment::open(&bytes[..]).unwrap().footer().groups().to_vec();
    let len = 4 + 2 + 3;
    let [one, two] = [groups[0], groups[1]].map(|group| group.index.offset as usize - len);
    let mut swapped = bytes.clone();
    swapped[one..one + len].copy_from_slice(&bytes[two..two + len]);
    swapped[two..two + len].copy_from_slice(&bytes[one..one + len]);
    assert_ne!(swapped, bytes);
    assert!(Segment::open(&swapped[..]).unwrap().check().is_err());
}

struct Failing<'a> {
    bytes: &'a [u8],
    from: u64,
}

impl Source for Failing<'_> {
    fn len(&self) -> u64 {
        self.bytes.len() as u64
    }

    fn read(&mut self, offset: u64, out: &mut [u8]) -> bool {
        let fails = offset >= self.from && offset < self.from + 10;
        !fails && self.bytes.read(offset, out)
    }
}

#[test]
fn what_the_device_does_not_read_is_told() {
    let bytes = small().write(4);
    let from = Segment::open(&bytes[..]).unwrap().footer().groups()[0].index.offset;
    let mut segment = Segment::open(Failing { bytes: &bytes, from: from.into() }).unwrap();
    assert!(matches!(segment.check(), Err(SegmentError::Unreadable(at)) if at.offset == from));
    let trailer = bytes.len() as u64 - 16;
    let refused = Segment::open(Failing { bytes: &bytes, from: trailer }).err();
    assert!(matches!(refused, Some(SegmentError::Unreadable(_))));
}
