//! The sealed segments of a tier: which there are, what they take of the disk, and which one goes
//! next.

use alloc::vec::Vec;

use nexus_bounded::{Mono, Nanos};

use crate::manifest::Kept;
use crate::name::{SegmentName, Tier};

/// Bytes of a file in a sector, and of the sector.
const PAYLOAD_BYTES: u32 = 508;
const SECTOR_BYTES: u64 = 512;

/// Bytes of the disk that a file of so many bytes takes.
#[must_use]
pub const fn disk_bytes(file_bytes: u32) -> u64 {
    file_bytes.div_ceil(PAYLOAD_BYTES) as u64 * SECTOR_BYTES
}

/// What a tier may have.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ShelfLimits {
    /// Time with power on after which a segment is deleted.
    pub ttl: Nanos,
    /// Bytes of the disk, what is being written and what is not given back yet among them.
    pub bytes: u64,
    /// Sealed segments.
    pub segments: usize,
    /// Windows of a segment: it ends where their number is a multiple of this, or earlier.
    pub span: u64,
}

/// A sealed segment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Sealed {
    /// What it is called after.
    pub name: SegmentName,
    /// Bytes of its file.
    pub len: u32,
}

/// The sealed segments of a tier, oldest first.
pub struct Shelf {
    tier: Tier,
    limits: ShelfLimits,
    segments: Vec<Sealed>,
    /// So many of the oldest are about to be deleted.
    condemned: usize,
    /// The window behind the last one of the newest, once that is known.
    end: Option<u64>,
    /// Bytes of the disk: of the segments, of what is reserved for the one that is being written,
    /// and of what is given up and comes back with the next sync.
    sealed: u64,
    reserved: u64,
    going: u64,
}

impl Shelf {
    /// An empty one. Takes all memory now.
    #[must_use]
    pub fn new(tier: Tier, limits: ShelfLimits) -> Self {
        let segments = Vec::with_capacity(limits.segments);
        Self { tier, limits, segments, condemned: 0, end: None, sealed: 0, reserved: 0, going: 0 }
    }

    /// Bytes of memory for so many segments.
    #[must_use]
    pub const fn memory(segments: usize) -> usize {
        segments * size_of::<Sealed>()
    }

    /// Which windows are in it.
    #[must_use]
    pub const fn tier(&self) -> Tier {
        self.tier
    }

    /// Windows of a segment.
    #[must_use]
    pub const fn span(&self) -> u64 {
        self.limits.span
    }

    /// The segments, oldest first.
    #[must_use]
    pub fn segments(&self) -> &[Sealed] {
        &self.segments
    }

    /// The oldest that is not about to be deleted.
    #[must_use]
    pub fn oldest(&self) -> Option<SegmentName> {
        self.segments.get(self.condemned).map(|sealed| sealed.name)
    }

    /// The next one to be deleted.
    #[must_use]
    pub fn condemned(&self) -> Option<SegmentName> {
        self.segments.first().filter(|_| self.condemned > 0).map(|sealed| sealed.name)
    }

    /// The newest.
    #[must_use]
    pub fn newest(&self) -> Option<SegmentName> {
        self.segments.last().map(|sealed| sealed.name)
    }

    /// The window behind the last one of the newest, as far as is known.
    #[must_use]
    pub fn end(&self) -> Option<u64> {
        self.newest().map(|newest| self.end.unwrap_or_else(|| self.nominal_end(newest)))
    }

    /// Bytes of the disk that it takes now.
    #[must_use]
    pub const fn bytes(&self) -> u64 {
        self.sealed + self.reserved + self.going
    }

    /// Bytes of the disk that it may take.
    #[must_use]
    pub const fn bytes_max(&self) -> u64 {
        self.limits.bytes
    }

    /// As the manifest says it: without those that are about to be deleted.
    #[must_use]
    pub fn kept(&self) -> Option<Kept> {
        let (oldest, newest) = self.oldest().zip(self.newest())?;
        Some(Kept { oldest, newest, end: self.end()? })
    }

    /// Where a segment ends at the latest.
    const fn nominal_end(&self, name: SegmentName) -> u64 {
        (name.first / self.limits.span + 1).saturating_mul(self.limits.span)
    }

    /// Where the segment at a place ends: the next one's first window, or the nominal end.
    fn end_at(&self, at: usize) -> u64 {
        let Some(sealed) = self.segments.get(at) else { return 0 };
        match self.segments.get(at + 1) {
            Some(next) if next.name.boot == sealed.name.boot => {
                next.name.first.min(self.nominal_end(sealed.name))
            }
            Some(_) => self.nominal_end(sealed.name),
            None => self.end().unwrap_or(0),
        }
    }

    /// The segment that holds a window, if one may.
    #[must_use]
    pub fn holding(&self, boot: u32, window: u64) -> Option<SegmentName> {
        let wanted = SegmentName { boot, first: window };
        let at = self.segments.partition_point(|sealed| sealed.name <= wanted).checked_sub(1)?;
        let name = self.segments.get(at)?.name;
        (name.boot == boot && window < self.end_at(at)).then_some(name)
    }

    /// Takes a segment that is there; `false` if there is no room for its name. One of the same
    /// name is replaced.
    pub fn put(&mut self, sealed: Sealed) -> bool {
        match self.segments.binary_search_by_key(&sealed.name, |other| other.name) {
            Ok(at) => {
                if let Some(place) = self.segments.get_mut(at) {
                    let old = core::mem::replace(place, sealed);
                    self.going += disk_bytes(old.len);
                    self.sealed -= disk_bytes(old.len);
                }
            }
            Err(_) if self.segments.len() == self.limits.segments => return false,
            Err(at) => self.segments.insert(at, sealed),
        }
        self.sealed += disk_bytes(sealed.len);
        true
    }

    /// Where the newest ends.
    pub const fn set_end(&mut self, end: u64) {
        self.end = Some(end);
    }

    /// A segment is begun, for which so many bytes of a file are reserved.
    pub const fn reserve(&mut self, file_bytes: u32) {
        self.reserved = disk_bytes(file_bytes);
    }

    /// The segment that was begun is sealed: what it does not need comes back with the next sync.
    /// `end`: the window behind its last one.
    pub fn seal(&mut self, sealed: Sealed, end: u64) -> bool {
        self.going += self.reserved.saturating_sub(disk_bytes(sealed.len));
        self.reserved = 0;
        if self.newest().is_none_or(|newest| newest <= sealed.name) {
            self.end = Some(end);
        }
        self.put(sealed)
    }

    /// The segment that was begun is given up.
    pub const fn give_up(&mut self) {
        self.going += self.reserved;
        self.reserved = 0;
    }

    /// As many of the oldest are to be deleted as make room for a segment of so many bytes of a
    /// file; whether that are any.
    pub fn condemn(&mut self, file_bytes: u32) -> bool {
        let mut left = self.sealed + self.reserved + disk_bytes(file_bytes);
        let mut count = 0;
        for sealed in &self.segments {
            if left <= self.limits.bytes && self.segments.len() - count < self.limits.segments {
                break;
            }
            left -= disk_bytes(sealed.len);
            count += 1;
        }
        self.condemned = self.condemned.max(count);
        self.condemned > 0
    }

    /// The oldest has had its time.
    pub fn condemn_oldest(&mut self) {
        self.condemned = self.condemned.max(self.segments.len().min(1));
    }

    /// The oldest is deleted; its bytes come back with the next sync.
    pub fn drop_oldest(&mut self) {
        if self.segments.is_empty() {
            return;
        }
        let oldest = self.segments.remove(0);
        self.condemned = self.condemned.saturating_sub(1);
        self.sealed -= disk_bytes(oldest.len);
        self.going += disk_bytes(oldest.len);
        if self.segments.is_empty() {
            self.end = None;
        }
    }

    /// A sync that began after all that was told here is durable.
    pub const fn synced(&mut self) {
        self.going = 0;
    }

    /// Nothing is known any more.
    pub fn clear(&mut self) {
        self.segments.clear();
        self.condemned = 0;
        (self.end, self.sealed, self.reserved, self.going) = (None, 0, 0, 0);
    }

    /// Whether a segment of so many bytes of a file can be begun now.
    #[must_use]
    pub fn has_room(&self, file_bytes: u32) -> bool {
        let fits = self.bytes() + disk_bytes(file_bytes) <= self.limits.bytes;
        fits && self.segments.len() < self.limits.segments
    }

    /// Whether what was given up makes room enough as soon as it is back.
    #[must_use]
    pub fn has_room_after_sync(&self, file_bytes: u32) -> bool {
        let taken = self.sealed + self.reserved + disk_bytes(file_bytes);
        taken <= self.limits.bytes && self.segments.len() < self.limits.segments
    }

    /// Whether the oldest has had its time, by the time since the start of boot `boot`. Time
    /// without power does not count, and of a former boot only what segments tell.
    #[must_use]
    pub fn is_expired(&self, boot: u32, now: Mono) -> bool {
        self.oldest_age(boot, now).is_some_and(|age| age > self.limits.ttl)
    }

    /// Time with power on since the oldest segment's last window. Where a life's newest segment
    /// begins before the next life's oldest one, the clock is taken to have gone on: only the
    /// daemon has begun anew. After a true restart that makes it younger, by one segment's time at
    /// most for each such life.
    #[must_use]
    pub fn oldest_age(&self, boot: u32, now: Mono) -> Option<Nanos> {
        let length = self.tier.window.0;
        let at = |end: u64| end.saturating_mul(length);
        // How long ago the life began that is looked at, and what its newest segment ended at.
        let (mut life, mut began, mut latest) = (boot, now.0, now.0);
        let (mut age, mut first) = (None, now.0);
        for (index, sealed) in self.segments.iter().enumerate().rev() {
            let (begin, mut end) = (at(sealed.name.first), at(self.end_at(index)));
            if sealed.name.boot != life && begin >= first {
                latest = end;
                began = began.saturating_add(end);
            } else {
                // How a former life's last segment ends is not known; it ended before the next.
                end = end.min(first);
            }
            (life, first) = (sealed.name.boot, begin);
            let since_end = latest.max(end) - end;
            age = Some(began.saturating_sub(latest).saturating_add(since_end));
        }
        age.map(Nanos)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEN: Nanos = Nanos::from_secs(10);

    fn shelf(bytes: u64, segments: usize) -> Shelf {
        let limits = ShelfLimits { ttl: Nanos::from_secs(1000), bytes, segments, span: 60 };
        Shelf::new(Tier::rollup(TEN), limits)
    }

    fn sealed(boot: u32, first: u64) -> Sealed {
        Sealed { name: SegmentName { boot, first }, len: 508 }
    }

    #[test]
    fn bytes_count_until_the_sync_that_gives_them_back() {
        let mut shelf = shelf(4 * 512, 9);
        assert!(shelf.has_room(4 * 508) && !shelf.has_room(4 * 508 + 1));
        shelf.reserve(3 * 508);
        assert_eq!(shelf.bytes(), 3 * 512);
        assert!(shelf.seal(sealed(1, 0), 60));
        assert_eq!(shelf.bytes(), 3 * 512, "what is cut off is not back yet");
        assert!(!shelf.has_room(2 * 508) && shelf.has_room_after_sync(3 * 508));
        shelf.synced();
        assert_eq!(shelf.bytes(), 512);
        assert!(shelf.condemn(4 * 508));
        assert_eq!(shelf.condemned(), Some(SegmentName { boot: 1, first: 0 }));
        assert_eq!(shelf.kept(), None, "the manifest gives it up first");
        shelf.drop_oldest();
        assert_eq!(shelf.bytes(), 512);
        shelf.synced();
        assert_eq!((shelf.bytes(), shelf.kept()), (0, None));
    }

    #[test]
    fn a_tier_without_a_place_for_a_name_has_no_room() {
        let mut shelf = shelf(1 << 20, 2);
        assert!(shelf.put(sealed(1, 0)) && shelf.put(sealed(1, 60)));
        assert!(!shelf.has_room(1) && !shelf.put(sealed(1, 120)));
        assert!(shelf.condemn(1));
        assert_eq!(shelf.oldest(), Some(SegmentName { boot: 1, first: 60 }));
        assert!(shelf.put(sealed(1, 60)), "one of the same name takes its place");
        assert_eq!(shelf.bytes(), 3 * 512);
    }

    #[test]
    fn a_window_is_held_by_the_segment_that_reaches_over_it() {
        let mut shelf = shelf(1 << 20, 9);
        for (boot, first) in [(1, 3), (1, 60), (1, 75), (2, 0)] {
            assert!(shelf.put(sealed(boot, first)));
        }
        shelf.set_end(17);
        let first = |boot, window| shelf.holding(boot, window).map(|name| name.first);
        assert_eq!(first(1, 2), None);
        assert_eq!((first(1, 3), first(1, 59)), (Some(3), Some(3)));
        assert_eq!((first(1, 74), first(1, 75)), (Some(60), Some(75)));
        assert_eq!((first(1, 119), first(1, 120)), (Some(75), None));
        assert_eq!((first(2, 16), first(2, 17), first(3, 0)), (Some(0), None, None));
    }

    #[test]
    fn age_is_time_with_power_on() {
        let mut shelf = shelf(1 << 20, 9);
        assert_eq!(shelf.oldest_age(3, Mono(0)), None);
        assert!(shelf.put(sealed(1, 0)) && shelf.put(sealed(1, 60)));
        let age = |shelf: &Shelf, boot, s: u64| shelf.oldest_age(boot, Mono(s * 1_000_000_000));
        // The first ends at 600 s of boot 1, the second at 1200 s.
        assert_eq!(age(&shelf, 1, 1300), Some(Nanos::from_secs(700)));
        assert_eq!(age(&shelf, 3, 50), Some(Nanos::from_secs(650)));
        assert!(!shelf.is_expired(1, Mono(1_600_000_000_000)), "1000 s old to the nanosecond");
        assert!(shelf.is_expired(1, Mono(1_600_000_000_001)));
        assert!(shelf.put(sealed(3, 60)));
        shelf.set_end(70);
        // 600 s of boot 1, 700 s of boot 3, and 50 s of this one.
        assert_eq!(age(&shelf, 4, 50), Some(Nanos::from_secs(1350)));
        assert_eq!(age(&shelf, 3, 750), Some(Nanos::from_secs(1350)));
        assert!(shelf.is_expired(4, Mono(0)));
    }

    #[test]
    fn a_clock_that_goes_on_over_lives_makes_nothing_older() {
        let mut shelf = shelf(1 << 20, 9);
        for (boot, first) in [(1, 600), (2, 661), (3, 722)] {
            assert!(shelf.put(sealed(boot, first)));
        }
        shelf.set_end(725);
        // The first ends at 6600 s at the latest, and no time was without power.
        let age = shelf.oldest_age(4, Mono(7_300_000_000_000));
        assert_eq!(age, Some(Nanos::from_secs(700)));
    }

    #[test]
    fn short_lives_on_one_clock_make_nothing_older() {
        let mut shelf = shelf(1 << 20, 9);
        for (boot, first) in [(1, 600), (2, 603), (3, 606), (4, 609)] {
            assert!(shelf.put(sealed(boot, first)));
        }
        shelf.set_end(612);
        // All within the time of one segment: the first ends where the second begins.
        let age = shelf.oldest_age(5, Mono(6_150_000_000_000));
        assert_eq!(age, Some(Nanos::from_secs(120)));
    }
}
