//! A metricsd that gives back windows as those behind them.
#![cfg_attr(target_os = "none", no_std, no_main)]

nexus_rt::service!("metricsd", |start| guest::Misremembering {
    service: metricsd::Metricsd::new(&guest::recipe(), start.boot, start.keep),
    lie: Some(guest::Misremembered::Window),
    nonce: 0,
});
