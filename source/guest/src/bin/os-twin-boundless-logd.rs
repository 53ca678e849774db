//! A logd that gives more records than it is asked for.
#![cfg_attr(target_os = "none", no_std, no_main)]

#[cfg(target_os = "none")]
use nexus_wire::logs::{self, Frame, Request};

#[cfg(target_os = "none")]
struct Boundless;

#[cfg(target_os = "none")]
impl guest::Lie for Boundless {
    fn request(frame: &mut [u8]) {
        let Ok(Frame { head, request: Request::Query { since_ns, .. } }) = logs::decode(frame)
        else {
            return;
        };
        let query = Request::Query { since_ns, max: u16::MAX };
        let mut asked = [0; nexus_abi::FRAME_BYTES_MAX];
        let asked = logs::encode(&query, head, &mut asked).unwrap_or_default();
        frame.iter_mut().zip(asked).for_each(|(to, from)| *to = *from);
    }
}

nexus_rt::service!("logd", |start| guest::Twin {
    service: logd::Logd::new(&guest::recipe(), start.boot, start.keep),
    lie: Boundless,
});
