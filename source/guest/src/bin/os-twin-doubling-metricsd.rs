//! A metricsd that exports one value twice, of what was counted while execd was dead.
#![cfg_attr(target_os = "none", no_std, no_main)]

nexus_rt::service!("metricsd", |start| guest::Retold {
    service: metricsd::Metricsd::new(&guest::recipe(), start.boot, start.keep),
    alteration: guest::Alteration {
        of: "selftest_without_execd_total",
        key: "value",
        honest: Some("3"),
        told: Some("5"),
    },
});
