//! A service that shows what its port does. Each frame begins with a letter:
//!
//! | frame | answer |
//! |---|---|
//! | empty | `empty` |
//! | `e..` | the frame |
//! | `a..` | an acknowledgement with the frame |
//! | `i` | who the sender is: `service incarnation rights`, in hex |
//! | `b` | 4096 bytes |
//! | `s` | `name=number` lines: totals of the port, and `requests`, `echoes`, `gone`, `allocations`
//! |
//! | `w` | `woken`, by a wake-up 20 ms later |
//! | `c<name> ..` | calls the daemon with `..`: `ok ..`, `died`, `busy` or `not ready` |
//! | `l<name>` | `noted`; when told to stop, calls that daemon with `elast words` before it ends |
//! | `t` | `late`, but only after the next frame of anybody was answered |

use std::io::Write as _;

use nexus_abi::{FRAME_BYTES_MAX, ServiceId};
use nexus_bounded::{Mono, Nanos};
use nexus_port::{CallId, Event, Now, Service, SubmitError, Token, World};

use crate::allocations;

/// The name of the daemon under test, and of a second one.
pub(crate) const NAMES: [&str; 2] = ["echod", "otherd"];

pub(crate) struct Echod {
    requests: u64,
    echoes: u64,
    gone: u64,
    wake: Option<(Mono, Token)>,
    late: Option<Token>,
    last_call: Option<ServiceId>,
    stopped: bool,
    calls: [Option<Token>; 100],
}

/// The call that is made when the service is told to stop.
const LAST: CallId = CallId(u32::MAX);

impl Echod {
    pub(crate) fn new() -> Self {
        Self {
            requests: 0,
            echoes: 0,
            gone: 0,
            wake: None,
            late: None,
            last_call: None,
            stopped: false,
            calls: [None; 100],
        }
    }

    fn request(
        &mut self,
        from: nexus_abi::Sender,
        now: Now,
        token: Token,
        frame: &[u8],
        world: &mut impl World,
    ) {
        self.requests += 1;
        let mut buffer = [0; FRAME_BYTES_MAX];
        match frame {
            [] => world.reply(token, b"empty"),
            [b'e', ..] => {
                self.echoes += 1;
                world.reply(token, frame);
            }
            [b'a', ..] => world.acknowledge(token, frame),
            [b'i', ..] => {
                let (who, life) = (from.service(), from.incarnation.raw());
                let text = format_args!("{who} {life:x} {:x}", from.rights.raw());
                world.reply(token, written(&mut buffer, text));
            }
            [b'b', ..] => world.reply(token, &buffer),
            [b's', ..] => self.status(token, world),
            [b'w', ..] => self.wake = Some((now.mono.after(Nanos::from_millis(20)), token)),
            [b't', ..] => self.late = Some(token),
            [b'c', call @ ..] => self.call(token, call, world),
            [b'l', name @ ..] => {
                self.last_call = std::str::from_utf8(name).ok().map(ServiceId::from_name);
                world.reply(token, b"noted");
            }
            _ => world.reply(token, b"malformed"),
        }
        if !matches!(frame, [b't', ..])
            && let Some(late) = self.late.take()
        {
            world.reply(late, b"late");
        }
    }

    fn status(&self, token: Token, world: &mut impl World) {
        let mut buffer = [0; FRAME_BYTES_MAX];
        let mut rest = buffer.as_mut_slice();
        let mut line = |name: &str, value: u64| {
            assert!(writeln!(rest, "{name}={value}").is_ok(), "the status fits into a frame");
        };
        world.port_status(&mut line);
        line("requests", self.requests);
        line("echoes", self.echoes);
        line("gone", self.gone);
        line("allocations", allocations::count());
        let len = FRAME_BYTES_MAX - rest.len();
        world.reply(token, &buffer[..len]);
    }

    fn call(&mut self, token: Token, call: &[u8], world: &mut impl World) {
        let mut parts = call.splitn(2, |byte| *byte == b' ');
        let name = parts.next().and_then(|name| std::str::from_utf8(name).ok());
        let to = ServiceId::from_name(name.unwrap_or_default());
        let Some(free) = self.calls.iter().position(Option::is_none) else {
            return world.reply(token, b"too many");
        };
        match world.submit(to, CallId(free as u32), parts.next().unwrap_or_default()) {
            Ok(()) => self.calls[free] = Some(token),
            Err(SubmitError::Busy) => world.reply(token, b"busy"),
            Err(SubmitError::NotReady) => world.reply(token, b"not ready"),
        }
    }
}

fn written<'a>(buffer: &'a mut [u8], text: std::fmt::Arguments<'_>) -> &'a [u8] {
    let whole = buffer.len();
    let mut rest = &mut *buffer;
    assert!(rest.write_fmt(text).is_ok(), "the text fits into a frame");
    let len = whole - rest.len();
    &buffer[..len]
}

impl Service for Echod {
    fn handle(&mut self, now: Now, event: Event<'_>, world: &mut impl World) {
        match event {
            Event::Request { from, token, frame } => self.request(from, now, token, frame, world),
            Event::Completion { call: LAST, .. } => self.stopped = true,
            Event::Completion { call, result } => {
                let token = self.calls.get_mut(call.0 as usize).and_then(Option::take);
                let Some(token) = token else { return };
                let mut answer = [0; FRAME_BYTES_MAX];
                let len = result.map_or(0, |frame| {
                    answer[..3].copy_from_slice(b"ok ");
                    answer[3..3 + frame.len()].copy_from_slice(frame);
                    frame.len() + 3
                });
                world.reply(token, if len == 0 { b"died" } else { &answer[..len] });
            }
            Event::Block { .. } => {}
            Event::PeerGone { .. } => self.gone += 1,
            Event::Wake => {
                if let Some((_, token)) = self.wake.take_if(|(at, _)| *at <= now.mono) {
                    world.reply(token, b"woken");
                }
            }
            Event::Stop => {
                world.print("echod: stopping");
                let last = self.last_call.map(|to| world.submit(to, LAST, b"elast words"));
                self.stopped = !matches!(last, Some(Ok(())));
            }
        }
    }

    fn deadline(&self) -> Option<Mono> {
        self.wake.map(|(at, _)| at)
    }

    fn stopped(&self) -> bool {
        self.stopped
    }
}
