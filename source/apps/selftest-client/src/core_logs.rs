//! Every core service has said something to logd, under the identity that the kernel stamps.

use nexus_abi::ServiceId;
use nexus_wire::logs::{Found, Record, Reply, Request, Search};
use nexus_wire::{LogStatus, RecordId};

use crate::Why;
use crate::journal::has;
use crate::talk::Talk;

/// Records found, and where to go on.
type Page = (usize, Option<RecordId>);

/// A record that a service writes in every boot.
struct Said {
    service: &'static str,
    message: &'static str,
    fields: &'static [(&'static str, &'static str)],
}

const SAID: &[Said] = &[
    Said { service: "logd", message: "ready", fields: &[] },
    Said { service: "metricsd", message: "ready", fields: &[] },
    Said { service: "policyd", message: "decides by", fields: &[("event", "policy.loaded.v1")] },
    Said { service: "timed", message: "keeps time", fields: &[("event", "timed.began.v1")] },
    Said {
        service: "bundlemgrd",
        message: "installed demo.hoard",
        fields: &[("event", "bundle.installed.v1"), ("name", "demo.hoard")],
    },
    Said {
        service: "execd",
        message: "started demo.hello",
        fields: &[("event", "exec.started.v1"), ("name", "demo.hello")],
    },
];

/// Pages that one look takes; a service has fewer records of its own scope.
const PAGES_MAX: u32 = 64;

impl Said {
    /// How often it has said that: a search of one service's records, however many others have.
    fn count(&self, talk: &mut Talk<'_>) -> Result<usize, Why> {
        let (mut count, mut id) = (0, RecordId(0));
        for _ in 0..PAGES_MAX {
            let (found, next) = talk.until("no budget to read", |talk| self.page(talk, id))?;
            count += found;
            match next {
                Some(next) => id = next,
                None => return Ok(count),
            }
        }
        Err("the journal has no end")
    }

    /// How many there are on the page behind a record, and where the next one begins; `None`: our
    /// budget is used up for now.
    fn page(&self, talk: &mut Talk<'_>, id: RecordId) -> Result<Option<Page>, Why> {
        let service = Some(ServiceId::from_name(self.service));
        let search = Search { id, service, scope: self.service, ..Search::ALL };
        match talk.ask_logd(&Request::Search(search))? {
            (LogStatus::Ok, Reply::Search(reply)) => {
                let is_it = |found: &Found<'_>| match found {
                    Found::Record(record) => self.is(record),
                    Found::Gap(_) => false,
                };
                let count = reply.found().filter(is_it).count();
                Ok(Some((count, reply.more.then_some(reply.next_id))))
            }
            (LogStatus::RateLimited, _) => Ok(None),
            _ => Err("a search was refused"),
        }
    }

    fn is(&self, record: &Record<'_>) -> bool {
        record.service == ServiceId::from_name(self.service)
            && record.scope == self.service
            && record.message.starts_with(self.message)
            && has(record, self.fields)
    }
}

pub(crate) fn are_there(talk: &mut Talk<'_>) -> Result<(), Why> {
    for said in SAID {
        if said.count(talk)? != 1 {
            return Err("a core service has not said what it says in every boot, or not once");
        }
    }
    Ok(())
}
