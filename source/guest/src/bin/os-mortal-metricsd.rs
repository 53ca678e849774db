//! A metricsd that ends where a test says so.
#![cfg_attr(target_os = "none", no_std, no_main)]

nexus_rt::service!("metricsd", |start| guest::Mortal {
    service: metricsd::Metricsd::new(&guest::recipe(), start.boot, start.keep),
    end: || nexus_rt::os::calls::exit(7),
});
