//! The laws, one a file.

use super::report::Report;
use super::workspace::Workspace;

mod allows;
mod clocks;
mod daemons;
mod decoding;
mod documents;
mod kernel_words;
mod layers;
mod licences;
mod markers;
mod metric_names;
mod one_wire;
mod panics;
mod platform;
mod preamble;
mod randomness;
mod sharing;
mod sizes;
mod statics;
mod totals;
mod unsafe_code;
mod workplace;

/// A law of the tree.
pub(crate) struct Law {
    pub(crate) name: &'static str,
    /// The law in one sentence.
    pub(crate) says: &'static str,
    pub(crate) check: fn(&Workspace, &mut Report),
}

/// All laws, in the order they are checked.
pub(crate) const ALL: &[Law] = &[
    layers::LAW,
    platform::LAW,
    unsafe_code::LAW,
    statics::LAW,
    sharing::LAW,
    preamble::LAW,
    clocks::LAW,
    panics::LAW,
    decoding::LAW,
    randomness::LAW,
    one_wire::LAW,
    kernel_words::LAW,
    markers::LAW,
    metric_names::LAW,
    allows::LAW,
    sizes::LAW,
    daemons::LAW,
    totals::LAW,
    documents::LAW,
    workplace::LAW,
    licences::LAW,
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::ALL;

    #[test]
    fn every_law_has_its_own_name() {
        let names = ALL.iter().map(|law| law.name).collect::<BTreeSet<_>>();
        assert_eq!(names.len(), ALL.len());
    }
}
