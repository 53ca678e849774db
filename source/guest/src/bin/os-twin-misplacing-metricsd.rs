//! A metricsd that exports a histogram whose observation is in the wrong bucket.
#![cfg_attr(target_os = "none", no_std, no_main)]

nexus_rt::service!("metricsd", |start| guest::Retold {
    service: metricsd::Metricsd::new(&guest::recipe(), start.boot, start.keep),
    alteration: guest::Alteration {
        of: "selftest_latency_ns",
        key: "le.2048",
        honest: Some("3"),
        told: Some("2"),
    },
});
