use nexus_abi::Rights;
use nexus_wire::policy::Action;

/// What each right allows, to nothing.
const RIGHTS: [(Rights, Action); 2] =
    [(Rights::QUERY, Action::ReadLogs), (Rights::SCRAPE, Action::ScrapeMetrics)];

/// What has to be asked first of whoever needs these rights, and the rights that are asked for
/// later. `None`: they need nothing.
#[must_use]
pub fn needed(rights: Rights) -> Option<(Action, Rights)> {
    let (right, action) = RIGHTS.into_iter().find(|(right, _)| rights.has(*right))?;
    Some((action, rights.without(right)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_right_needs_its_action_once_and_nothing_needs_none() {
        use Action::{ReadLogs, ScrapeMetrics};
        let none = Rights::from_raw(0b100);
        assert_eq!([needed(Rights::NONE), needed(none)], [None; 2]);
        assert_eq!(needed(Rights::QUERY), Some((ReadLogs, Rights::NONE)));
        assert_eq!(needed(Rights::SCRAPE), Some((ScrapeMetrics, Rights::NONE)));
        let both = Rights::QUERY.with(Rights::SCRAPE);
        assert_eq!(needed(both), Some((ReadLogs, Rights::SCRAPE)));
    }
}
