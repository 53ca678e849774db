//! Chains of rows by hash. Rows of chosen keys may share a chain; [`CHAIN_MAX`] bounds what that
//! can cost anybody.

use crate::rows::{NONE, Pool, Rows};

/// Rows of one sender in one chain, at most. A sender whose keys collide beyond it is treated as
/// having met a cap, so chosen keys lengthen the chains of others by no more than this per sender.
/// Honest keys do not get here: with as many chains as rows the odds of 16 in one are below
/// 10^-13.
pub(crate) const CHAIN_MAX: usize = 16;

/// A row that can stand in a chain.
pub(crate) trait Link {
    fn hash(&self) -> u32;
    fn next(&self) -> u32;
    fn set_next(&mut self, next: u32);
}

/// Heads of chains, a power of two of them.
pub(crate) struct Chains {
    heads: Rows<u32>,
    mask: u32,
}

impl Chains {
    pub(crate) fn new(rows: u32) -> Self {
        let count = Self::count(rows);
        Self { heads: Rows::filled(count, NONE), mask: count - 1 }
    }

    const fn count(rows: u32) -> u32 {
        rows.next_power_of_two()
    }

    pub(crate) const fn bytes(rows: u32) -> u64 {
        Rows::<u32>::bytes(Self::count(rows))
    }

    #[inline]
    pub(crate) fn head(&self, hash: u32) -> u32 {
        self.heads[hash & self.mask]
    }

    /// The rows of the chain of `hash`, newest first.
    pub(crate) fn walk<'a, T: Link>(
        &'a self,
        pool: &'a Pool<T>,
        hash: u32,
    ) -> impl Iterator<Item = (u32, &'a T)> {
        let mut at = self.head(hash);
        core::iter::from_fn(move || {
            let row = pool.find(at)?;
            let found = (at, row);
            at = row.next();
            Some(found)
        })
    }

    pub(crate) fn insert<T: Link>(&mut self, pool: &mut Pool<T>, row: u32) {
        let head = pool[row].hash() & self.mask;
        pool[row].set_next(self.heads[head]);
        self.heads[head] = row;
    }

    pub(crate) fn remove<T: Link>(&mut self, pool: &mut Pool<T>, row: u32) {
        let (hash, next) = (pool[row].hash(), pool[row].next());
        let before = self.walk(pool, hash).find(|(_, other)| other.next() == row);
        match before.map(|(at, _)| at) {
            Some(before) => pool[before].set_next(next),
            None => {
                let head = hash & self.mask;
                assert!(self.heads[head] == row, "a row to be removed stands in its chain");
                self.heads[head] = next;
            }
        }
    }
}
