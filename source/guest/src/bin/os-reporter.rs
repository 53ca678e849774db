//! A service whose records a console shows in part, and logd gets whole.
#![cfg_attr(target_os = "none", no_std, no_main)]

nexus_rt::service!("reporter", |_life| guest::Reporter::new(), nexus_rt::os::Telemetry::install());
