//! From the kernel's word about a peer to a stamp.
//!
//! On the daemon's main socket a peer is the service that the recipe names for its user, else
//! `uid.<n>`. On a service's own socket it is that service: whoever may enter the folder may speak.
//! Rights follow the user and its groups, never the service. The pid is noted and decides nothing.

use std::fmt::Write as _;
use std::io;
use std::os::fd::OwnedFd;

use nexus_abi::{Rights, ServiceId};
use nexus_bounded::Text;
use nexus_recipe::SenderRule;

use crate::linux::socket;

/// Supplementary groups of a peer that are looked at; the kernel allows 65536 and distributions use
/// a handful.
const GROUPS_MAX: usize = 256;

/// What the kernel says of a peer, put in our terms.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Peer {
    pub(super) service: ServiceId,
    pub(super) pid: u32,
    pub(super) rights: Rights,
}

/// The rules of identity of one daemon.
pub(super) struct Identity {
    users: Box<[(u32, ServiceId)]>,
    own_user: u32,
    readers: Option<u32>,
    groups: Box<[u32]>,
}

impl Identity {
    /// Rules for a daemon of the user `own_user`, with `readers` as the group of those who may
    /// read.
    pub(super) fn new(rules: &[SenderRule], own_user: u32, readers: Option<u32>) -> Self {
        let users = rules
            .iter()
            .filter_map(|rule| Some((rule.uid?, ServiceId::from_name(&rule.name))))
            .collect();
        Self { users, own_user, readers, groups: vec![0; GROUPS_MAX].into_boxed_slice() }
    }

    /// Who is at the other end of `connection`, which came in through the socket of `served`, or
    /// through the main one.
    pub(super) fn of(
        &mut self,
        connection: &OwnedFd,
        served: Option<ServiceId>,
    ) -> io::Result<Peer> {
        let (pid, uid, gid) = socket::peer(connection)?;
        let reader = self.readers.is_some_and(|group| {
            gid == group || socket::peer_has_group(connection, group, &mut self.groups)
        });
        let may_read = uid == 0 || uid == self.own_user || reader;
        let rights = if may_read { Rights::QUERY.with(Rights::SCRAPE) } else { Rights::NONE };
        Ok(Peer { service: served.unwrap_or_else(|| self.service_of(uid)), pid, rights })
    }

    fn service_of(&self, uid: u32) -> ServiceId {
        let named = self.users.iter().find(|(user, _)| *user == uid);
        named.map_or_else(|| unnamed(uid), |(_, service)| *service)
    }
}

/// The identity of a user whom no rule names.
fn unnamed(uid: u32) -> ServiceId {
    let mut name = Text::<16>::EMPTY;
    let fits = write!(name, "uid.{uid}").is_ok();
    assert!(fits, "4 letters and 10 digits fit into 16 bytes");
    ServiceId::from_name(name.as_str())
}

/// Whether `name` may be served on a socket of its own: `[a-z0-9_.-]`, 1 to 48 bytes, and neither a
/// path of dots nor the name of an unnamed user.
pub(super) fn is_service_name(name: &str) -> bool {
    let legal = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"_.-".contains(&b);
    (1..=48).contains(&name.len())
        && name.bytes().all(legal)
        && !name.starts_with('.')
        && !name.starts_with("uid.")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(name: &str, uid: Option<u32>) -> SenderRule {
        SenderRule { name: name.to_owned(), uid, logd_budget: None, metricsd_budget: None }
    }

    #[test]
    fn a_user_is_the_service_that_a_rule_names_or_its_own_number() {
        let rules = [rule("execd", Some(7)), rule("timed", None)];
        let identity = Identity::new(&rules, 0, None);
        assert_eq!(identity.service_of(7), ServiceId::from_name("execd"));
        assert_eq!(identity.service_of(8), ServiceId::from_name("uid.8"));
        assert_eq!(identity.service_of(u32::MAX), ServiceId::from_name("uid.4294967295"));
    }

    #[test]
    fn names_that_leave_the_folder_or_pose_as_users_are_not_served() {
        for good in ["execd", "a-b_c.d9"] {
            assert!(is_service_name(good), "{good}");
        }
        for bad in ["", ".", "..", "a/b", "uid.0", "Execd", "a b", &"x".repeat(49)] {
            assert!(!is_service_name(bad), "{bad}");
        }
    }
}
