//! A metricsd that ends where a test says so.
#![cfg_attr(target_os = "none", no_std, no_main)]

nexus_rt::service!("metricsd", |boot| guest::Mortal {
    service: metricsd::Metricsd::new(&guest::recipe(), boot, metricsd::Keep::Nothing),
    end: || nexus_rt::os::calls::exit(7),
});
