//! Where a walk is, and what it comes to.

use crate::key::SeriesKey;
use crate::segment::{Extent, LocalId, Meta, Samples, SegmentError, Windows};

/// Where a walk is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::history) struct Place {
    /// The series with which it began to look.
    pub(in crate::history) batch: LocalId,
    /// The group and the series whose turn it is; `None`: series are still looked up.
    pub(in crate::history) at: Option<(u8, LocalId)>,
}

impl Place {
    pub(in crate::history) const START: Self = Self { batch: LocalId(0), at: None };
}

/// What is read of a segment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::history) struct Part {
    /// What it is of.
    pub(in crate::history) meta: Meta,
    /// Its first window.
    pub(in crate::history) first: u64,
    /// Bytes of the file, at most: one that is written yet grows.
    pub(in crate::history) len: u32,
}

/// What a series did in a group.
#[derive(Debug)]
pub struct Found<'a> {
    /// Which one it is.
    pub key: SeriesKey<'a>,
    /// Bounds of a histogram's buckets, little-endian words.
    pub bounds: &'a [u8],
    /// The windows of the group: one a row.
    pub windows: &'a Windows,
    /// What it did in them.
    pub samples: &'a Samples,
}

/// Windows that cannot be read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Gap {
    /// Why.
    pub why: SegmentError,
    /// From which on.
    pub first: u64,
    /// Up to which; `None`: to the end of the segment, wherever that is.
    pub last: Option<u64>,
    /// Which of the series that are looked up did something there, perhaps; `None`: any.
    pub(in crate::history) nth: Option<usize>,
}

/// What a walk has come to.
#[derive(Debug)]
pub enum Event<'a> {
    /// It wants these bytes of the file.
    Wants(Extent),
    /// What a series did.
    Found(Found<'a>),
    /// Something cannot be read.
    Lost(Gap),
    /// That was all.
    Done,
}
