use crate::table::Table;

/// The smallest of a fixed number of keys, kept up to date in a few steps whenever one changes.
pub(crate) struct MinTree {
    /// Node 1 is the root, the children of `n` are `2n` and `2n + 1`, the second half are the keys.
    nodes: Table<u64>,
}

impl MinTree {
    /// The key of a place that takes no part.
    pub(crate) const NEVER: u64 = u64::MAX;

    /// A tree with `places` keys, all [`Self::NEVER`].
    pub(crate) fn new(places: usize) -> Self {
        Self { nodes: Table::filled(Self::nodes(places), Self::NEVER) }
    }

    /// Bytes of memory that a tree with `places` keys takes.
    pub(crate) const fn bytes(places: usize) -> usize {
        Self::nodes(places) * size_of::<u64>()
    }

    const fn nodes(places: usize) -> usize {
        2 * places.next_power_of_two()
    }

    /// Changes the key of a place.
    pub(crate) fn set(&mut self, place: usize, key: u64) {
        let mut node = self.nodes.len() / 2 + place;
        let mut key = key;
        while self.nodes[node] != key {
            self.nodes[node] = key;
            if node == 1 {
                return;
            }
            key = key.min(self.nodes[node ^ 1]);
            node /= 2;
        }
    }

    /// The key of a place.
    pub(crate) fn key(&self, place: usize) -> u64 {
        self.nodes[self.nodes.len() / 2 + place]
    }

    /// The smallest key.
    pub(crate) fn min(&self) -> u64 {
        self.nodes[1]
    }

    /// The smallest key of all other places.
    pub(crate) fn min_of_others(&self, place: usize) -> u64 {
        let mut node = self.nodes.len() / 2 + place;
        let mut min = Self::NEVER;
        while node > 1 {
            min = min.min(self.nodes[node ^ 1]);
            node /= 2;
        }
        min
    }

    /// The first place whose key is the smallest one.
    pub(crate) fn place_of_min(&self) -> usize {
        let leaves = self.nodes.len() / 2;
        let mut node = 1;
        while node < leaves {
            let left = 2 * node;
            node = left + usize::from(self.nodes[left] != self.nodes[node]);
        }
        node - leaves
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_smallest_key_is_known_after_every_change(
            places in 1usize..20,
            changes in prop::collection::vec((any::<prop::sample::Index>(), 0u64..9), 1..60),
        ) {
            let mut tree = MinTree::new(places);
            let mut keys = alloc::vec![MinTree::NEVER; places];
            for (place, key) in changes {
                let place = place.index(places);
                let key = if key == 8 { MinTree::NEVER } else { key };
                keys[place] = key;
                tree.set(place, key);
                let min = *keys.iter().min().unwrap();
                prop_assert_eq!(tree.min(), min);
                let others = keys.iter().enumerate().filter(|(other, _)| *other != place);
                let min_of_others = others.map(|(_, key)| *key).min().unwrap_or(MinTree::NEVER);
                prop_assert_eq!(tree.min_of_others(place), min_of_others);
                prop_assert_eq!(tree.place_of_min(), keys.iter().position(|k| *k == min).unwrap());
            }
        }
    }
}
