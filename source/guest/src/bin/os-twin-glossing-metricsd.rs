//! A metricsd that exports of what execd had begun when it died that it ended badly.
#![cfg_attr(target_os = "none", no_std, no_main)]

nexus_rt::service!("metricsd", |start| guest::Retold {
    service: metricsd::Metricsd::new(&guest::recipe(), start.boot, start.keep),
    alteration: guest::Alteration {
        of: "exec.path",
        key: "status",
        honest: Some("abandoned"),
        told: Some("error"),
    },
});
