//! Every core service has said something to logd, under the identity that the kernel stamps.

use nexus_abi::ServiceId;
use nexus_bounded::Mono;
use nexus_wire::logs::Record;

use crate::Why;
use crate::journal::has;
use crate::talk::Talk;

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

impl Said {
    fn is(&self, record: &Record<'_>) -> bool {
        record.service == ServiceId::from_name(self.service)
            && record.scope == self.service
            && record.message.starts_with(self.message)
            && has(record, self.fields)
    }
}

pub(crate) fn are_there(talk: &mut Talk<'_>) -> Result<(), Why> {
    for said in SAID {
        let mut count = 0_u32;
        talk.each_record(Mono(0), |record| {
            count += u32::from(said.is(record));
            Ok(())
        })?;
        if count != 1 {
            return Err("a core service has not said what it says in every boot, or not once");
        }
    }
    Ok(())
}
