//! Words to the service manager (the protocol of `sd_notify`). Without one, nothing is said.

use std::env;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::process;

use nexus_bounded::{Mono, Nanos};

/// The way to the service manager.
pub(super) struct Manager {
    socket: Option<UnixDatagram>,
    /// How often a sign of life is due; half of what the manager allows.
    watchdog: Option<Nanos>,
    next: Mono,
}

impl Manager {
    /// What the environment says.
    pub(super) fn new() -> Self {
        Self { socket: connect(), watchdog: watchdog(), next: Mono(0) }
    }

    /// Sends one message of lines `KEY=value`. A manager that does not listen is no concern of
    /// ours.
    pub(super) fn say(&self, message: &str) {
        if let Some(socket) = &self.socket {
            drop(socket.send(message.as_bytes()));
        }
    }

    /// When the next sign of life is due.
    pub(super) fn deadline(&self) -> Option<Mono> {
        self.watchdog.map(|_| self.next)
    }

    /// Gives a sign of life if it is due.
    pub(super) fn alive(&mut self, now: Mono) {
        let Some(every) = self.watchdog.filter(|_| now >= self.next) else { return };
        self.say("WATCHDOG=1");
        self.next = now.after(every);
    }
}

fn connect() -> Option<UnixDatagram> {
    let path = env::var_os("NOTIFY_SOCKET")?;
    let address = match path.as_bytes() {
        [b'@', name @ ..] => SocketAddr::from_abstract_name(name).ok()?,
        _ => SocketAddr::from_pathname(&path).ok()?,
    };
    let socket = UnixDatagram::unbound().ok()?;
    socket.connect_addr(&address).ok()?;
    socket.set_nonblocking(true).ok()?;
    Some(socket)
}

fn watchdog() -> Option<Nanos> {
    let meant_for = env::var("WATCHDOG_PID").ok().and_then(|pid| pid.parse().ok());
    if meant_for.is_some_and(|pid: u32| pid != process::id()) {
        return None;
    }
    let micros: u64 = env::var("WATCHDOG_USEC").ok()?.parse().ok()?;
    (micros > 0).then(|| Nanos(micros.saturating_mul(500)))
}
