//! A metricsd that exports a gauge without its sign.
#![cfg_attr(target_os = "none", no_std, no_main)]

nexus_rt::service!("metricsd", |start| guest::Retold {
    service: metricsd::Metricsd::new(&guest::recipe(), start.boot, start.keep),
    alteration: guest::Alteration {
        of: "selftest_level",
        key: "value",
        honest: Some("-9"),
        told: Some("9"),
    },
});
