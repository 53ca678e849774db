//! A timed to which every timer is of the class without a window: none shares a wake-up.
#![cfg_attr(target_os = "none", no_std, no_main)]

#[cfg(target_os = "none")]
use nexus_wire::timers::{self, Frame, Qos, Request};

#[cfg(target_os = "none")]
struct Eager;

#[cfg(target_os = "none")]
impl guest::Lie for Eager {
    fn request(frame: &mut [u8]) {
        let Ok(Frame { nonce, request: Request::Register { deadline, .. } }) =
            timers::decode(frame)
        else {
            return;
        };
        let exact = Request::Register { qos: Qos::PerfBurst, deadline };
        let mut asked = [0; nexus_abi::FRAME_BYTES_MAX];
        let asked = timers::encode(&Frame { nonce, request: exact }, &mut asked);
        frame.iter_mut().zip(asked.unwrap_or_default()).for_each(|(to, from)| *to = *from);
    }
}

nexus_rt::service!(
    "timed",
    |_start| guest::Twin { service: timed::Timed::new(), lie: Eager },
    nexus_rt::os::Telemetry::paced(guest::PACE)
);
