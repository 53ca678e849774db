//! A metricsd whose export reaches nobody.
#![cfg_attr(target_os = "none", no_std, no_main)]

#[cfg(target_os = "none")]
struct Cut;

#[cfg(target_os = "none")]
impl guest::Lie for Cut {
    fn submit(
        _world: &mut impl nexus_port::World,
        _to: nexus_abi::ServiceId,
        _call: nexus_port::CallId,
        _frame: &[u8],
    ) -> Result<(), nexus_port::SubmitError> {
        Err(nexus_port::SubmitError::NotReady)
    }
}

nexus_rt::service!("metricsd", |start| guest::Twin {
    service: metricsd::Metricsd::new(&guest::recipe(), start.boot, start.keep),
    lie: Cut,
});
