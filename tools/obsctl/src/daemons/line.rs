//! A connection to a daemon.

use std::io;
use std::path::Path;
use std::time::Instant;

use anyhow::Context as _;
use nexus_rt::linux::client::Connection;

use super::{BUDGET_PATIENCE, BUDGET_PAUSE, FRAME};

/// A connection that numbers its requests.
pub(super) struct Line {
    daemon: &'static str,
    connection: Connection,
    nonce: u32,
    reply: Box<[u8; FRAME]>,
}

impl Line {
    pub(super) fn open(dir: &Path, daemon: &'static str) -> anyhow::Result<Self> {
        let connection = Connection::open(dir, daemon).with_context(|| {
            format!("{daemon} cannot be reached (is it running? --run-dir says where)")
        })?;
        Ok(Self { daemon, connection, nonce: 0, reply: Box::new([0; FRAME]) })
    }

    /// Which daemon failed us, and what to do about it. The error of the system is not passed on as
    /// such: it is not one of our own output.
    pub(super) fn failed(&self, error: &io::Error) -> anyhow::Error {
        let daemon = self.daemon;
        match error.kind() {
            io::ErrorKind::TimedOut => anyhow::anyhow!(
                "{daemon} has not answered for 5 s: it is stopped or has too much to do; look at \
                 its process, or try again later"
            ),
            io::ErrorKind::UnexpectedEof
            | io::ErrorKind::BrokenPipe
            | io::ErrorKind::ConnectionReset => anyhow::anyhow!(
                "{daemon} has closed the connection: it ended, or made room for others; try again"
            ),
            _ => anyhow::anyhow!("{daemon}: {error}"),
        }
    }

    pub(super) fn next_nonce(&mut self) -> u32 {
        self.nonce = self.nonce.wrapping_add(1);
        self.nonce
    }

    /// Asks, and waits for the budget where it is used up for now: reading a whole journal takes
    /// more pages than a budget has at once.
    pub(super) fn exchange(
        &mut self,
        request: &[u8],
        is_rate_limited: impl Fn(&[u8]) -> bool,
    ) -> anyhow::Result<&[u8]> {
        let end = Instant::now() + BUDGET_PATIENCE;
        loop {
            let len = match self.connection.call(request, &mut self.reply[..]) {
                Ok(len) => len,
                Err(error) => return Err(self.failed(&error)),
            };
            let limited = is_rate_limited(self.reply.get(..len).unwrap_or_default());
            if !limited || Instant::now() > end {
                return Ok(self.reply.get(..len).unwrap_or_default());
            }
            std::thread::sleep(BUDGET_PAUSE);
        }
    }
}
