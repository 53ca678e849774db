//! How much each prefix may take.

use alloc::boxed::Box;

use nexus_port::SECTOR_BYTES;

/// Most prefixes with a quota.
pub const QUOTAS_MAX: usize = 32;

/// How many bytes of the disk all files together may take whose names begin with a prefix.
/// Counted are the sectors that files have reserved, and those of deleted files until the next
/// sync. What lies on the disk already stays, whatever it takes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Quota<'a> {
    /// The beginning of the names, such as `metricsd/`. Where several fit, all count.
    pub prefix: &'a str,
    /// Bytes of sectors, of which [`crate::PAYLOAD_BYTES`] of 512 are the file's.
    pub bytes: u64,
}

impl Quota<'_> {
    /// Bytes of memory that a store takes for it.
    #[must_use]
    pub const fn memory(&self) -> usize {
        size_of::<Row>() + self.prefix.len()
    }
}

/// A set of quotas.
pub(crate) type Mask = u32;

struct Row {
    prefix: Box<str>,
    sectors_max: u64,
    sectors: u64,
}

pub(crate) struct Quotas(Box<[Row]>);

impl Quotas {
    /// Quotas beyond [`QUOTAS_MAX`] are our own fault.
    pub(crate) fn new(quotas: &[Quota<'_>]) -> Self {
        assert!(quotas.len() <= QUOTAS_MAX, "as many quotas as a mask has bits");
        let row = |quota: &Quota<'_>| Row {
            prefix: quota.prefix.into(),
            sectors_max: quota.bytes / SECTOR_BYTES as u64,
            sectors: 0,
        };
        Self(quotas.iter().map(row).collect())
    }

    pub(crate) fn clear(&mut self) {
        self.0.iter_mut().for_each(|row| row.sectors = 0);
    }

    /// Which quotas count for a name.
    pub(crate) fn of(&self, name: &str) -> Mask {
        let rows = self.0.iter().zip(0..);
        rows.filter(|(row, _)| name.starts_with(&*row.prefix)).map(|(_, bit)| 1 << bit).sum()
    }

    /// The first of some quotas that `sectors` more would exceed, and how many bytes it leaves.
    pub(crate) fn exceeded(&self, mask: Mask, sectors: u32) -> Option<(usize, u64)> {
        let rows = self.0.iter().enumerate().filter(|(bit, _)| mask & (1 << bit) != 0);
        let mut over = rows.filter(|(_, row)| row.sectors + u64::from(sectors) > row.sectors_max);
        let left = |row: &Row| row.sectors_max.saturating_sub(row.sectors) * SECTOR_BYTES as u64;
        over.next().map(|(bit, row)| (bit, left(row)))
    }

    pub(crate) fn charge(&mut self, mask: Mask, sectors: u32) {
        self.each(mask, |row| row.sectors += u64::from(sectors));
    }

    pub(crate) fn give_back(&mut self, mask: Mask, sectors: u32) {
        self.each(mask, |row| row.sectors -= u64::from(sectors));
    }

    /// Bytes that a quota's files take now.
    pub(crate) fn used(&self, quota: usize) -> Option<u64> {
        self.0.get(quota).map(|row| row.sectors * SECTOR_BYTES as u64)
    }

    fn each(&mut self, mask: Mask, change: impl FnMut(&mut Row)) {
        let rows = self.0.iter_mut().enumerate();
        rows.filter(|(bit, _)| mask & (1 << bit) != 0).map(|(_, row)| row).for_each(change);
    }
}
