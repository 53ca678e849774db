//! All that programs do to a daemon, and what nobody should.

use std::io::ErrorKind;
use std::os::fd::OwnedFd;
use std::thread;

use nexus_rt::linux::client::Connection;
use rustix::net::{AddressFamily, SendFlags, SocketAddrUnix, SocketFlags, SocketType};

use crate::process::{Process, SERVED, eventually};

/// What is sent to a daemon.
pub(crate) struct Load<'a> {
    pub(crate) daemon: &'a Process,
    /// Frames of every operation, legal and not.
    pub(crate) frames: Vec<Vec<u8>>,
    pub(crate) rounds: u32,
}

/// The frames of a file of vectors that are requests.
pub(crate) fn requests(vectors: &str) -> Vec<Vec<u8>> {
    let requests = vectors.lines().filter(|line| line.contains("\"dir\":\"request\""));
    let hex = requests.filter_map(|line| line.split_once("\"hex\":\"")?.1.split_once('"'));
    hex.map(|(hex, _)| bytes(hex)).collect()
}

fn bytes(hex: &str) -> Vec<u8> {
    let digit = |at: usize| u8::from_str_radix(&hex[at..at + 2], 16).unwrap();
    (0..hex.len()).step_by(2).map(digit).collect()
}

impl Load<'_> {
    /// Everything at once; then, one after another, what a crowd may have cut off too early.
    pub(crate) fn run(&self) {
        thread::scope(|scope| {
            scope.spawn(|| self.talkers());
            scope.spawn(|| self.visitors());
            scope.spawn(|| self.vandals());
            scope.spawn(|| (0..self.rounds / 8).for_each(|round| drop(self.the_deaf(round))));
        });
        self.vandals();
        let mut deaf = self.the_deaf(0);
        let is_cut = |deaf: &mut Connection| {
            deaf.send(&[]).is_err_and(|error| error.kind() != ErrorKind::WouldBlock)
        };
        eventually("who never reads is cut off", || deaf.iter_mut().any(is_cut));
    }

    fn open(&self, number: u32) -> Option<Connection> {
        // The backlog may be full: then somebody else has his turn.
        self.daemon.connect(SERVED[number as usize % SERVED.len()]).ok()
    }

    /// Services that ask and read their answers.
    fn talkers(&self) {
        for round in 0..self.rounds {
            let Some(mut connection) = self.open(round) else { continue };
            for frame in &self.frames {
                // It may have been chosen to make room for another.
                if connection.call(frame, &mut [0; 4096]).is_err() {
                    break;
                }
            }
        }
    }

    /// Connections that come, say something or nothing, and go without waiting for an answer: more
    /// at a time than there are places.
    fn visitors(&self) {
        for round in 0..self.rounds {
            let mut all: Vec<_> = (0..100).filter_map(|n| self.open(n)).collect();
            for (n, connection) in all.iter_mut().enumerate().filter(|(n, _)| n % 3 > 0) {
                let frame = &self.frames[(n + round as usize) % self.frames.len()];
                drop(connection.send(frame));
            }
        }
    }

    /// Packets that are too long, empty or garbage.
    fn vandals(&self) {
        let mut state = 1_u64;
        let mut byte = move || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 56) as u8
        };
        for round in 0..self.rounds as usize {
            let Some(socket) = self.raw() else { continue };
            let whole = &self.frames[round % self.frames.len()];
            let mut bent = whole.clone();
            if let Some(at) = bent.len().checked_sub(1) {
                bent[usize::from(byte()) % (at + 1)] ^= byte() | 1;
            }
            let cut = &whole[..whole.len() / 2];
            let noise: Vec<u8> = (0..round % 200).map(|_| byte()).collect();
            for packet in [&[][..], &bent, cut, &noise, &[b'L'; 4097], &[0; 60_000]] {
                let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
                rustix::net::send(&socket, packet, flags).unwrap_or(0);
            }
        }
    }

    fn raw(&self) -> Option<OwnedFd> {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let (family, kind) = (AddressFamily::UNIX, SocketType::SEQPACKET);
        let socket = rustix::net::socket_with(family, kind, flags, None).unwrap();
        let to = SocketAddrUnix::new(self.daemon.socket()).unwrap();
        rustix::net::connect(&socket, &to).is_ok().then_some(socket)
    }

    /// Connections that ask and ask and never read, more than answers may wait.
    fn the_deaf(&self, round: u32) -> Vec<Connection> {
        let mut all: Vec<_> = (0..20).filter_map(|n| self.open(n + round)).collect();
        for deaf in &mut all {
            while deaf.send(&self.frames[0]).is_ok() {}
        }
        all
    }
}
