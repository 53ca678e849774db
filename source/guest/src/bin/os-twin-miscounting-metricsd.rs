//! A metricsd that exports a total that is too large by one.
#![cfg_attr(target_os = "none", no_std, no_main)]

nexus_rt::service!("metricsd", |start| guest::Retold {
    service: metricsd::Metricsd::new(&guest::recipe(), start.boot, start.keep),
    alteration: guest::Alteration {
        of: "selftest_events_total",
        key: "value",
        honest: Some("7"),
        told: Some("8"),
    },
});
