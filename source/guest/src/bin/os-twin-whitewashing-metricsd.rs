//! A metricsd that exports of a span that failed that it ended well.
#![cfg_attr(target_os = "none", no_std, no_main)]

nexus_rt::service!("metricsd", |start| guest::Retold {
    service: metricsd::Metricsd::new(&guest::recipe(), start.boot, start.keep),
    alteration: guest::Alteration {
        of: "selftest.inner",
        key: "status",
        honest: Some("error"),
        told: Some("ok"),
    },
});
