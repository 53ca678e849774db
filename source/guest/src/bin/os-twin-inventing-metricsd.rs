//! A metricsd that dies when it is told to, and exports one more than it was told while logd was
//! away.
#![cfg_attr(target_os = "none", no_std, no_main)]

nexus_rt::service!("metricsd", |start| guest::Retold {
    service: guest::Mortal {
        service: metricsd::Metricsd::new(&guest::recipe(), start.boot, start.keep),
        end: || nexus_rt::os::calls::exit(7),
    },
    alteration: guest::Alteration {
        of: "selftest_outage_total",
        key: "value",
        honest: Some("3"),
        told: Some("4"),
    },
});
