//! An endpoint that refuses whatever it hears, and looks at nothing of it.
#![cfg_attr(target_os = "none", no_std, no_main)]

#[cfg(target_os = "none")]
mod os {
    use nexus_bounded::Mono;
    use nexus_port::{Event, Now, Service, World};
    use nexus_wire::sessions::SessionStatus;
    use nexus_wire::sessions::line::{Frame, decode, plain_reply};

    pub(crate) struct Refusing;

    impl Service for Refusing {
        fn handle(&mut self, _: Now, event: Event<'_>, world: &mut impl World) {
            let Event::Request { token, frame, .. } = event else { return };
            if let Ok(Frame { echo, .. }) = decode(frame) {
                world.reply(token, &plain_reply(echo, SessionStatus::NotAuthentic));
            }
        }

        fn deadline(&self) -> Option<Mono> {
            None
        }

        fn stopped(&self) -> bool {
            true
        }
    }
}

nexus_rt::service!("dsoftbusd-stranger", |_start| os::Refusing);
