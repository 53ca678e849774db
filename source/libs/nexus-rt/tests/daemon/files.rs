//! Files of the daemon under test, as seen through its calls.

use std::time::Duration;

use nexus_rt::linux::client::Connection;
use nexus_wire::FileStatus;
use nexus_wire::files::{
    Append, FileName, NewFile, Read, Replace, Reply, Request, Target, decode_reply, encode,
};

use crate::process::{Process, eventually};

pub(crate) fn name(text: &str) -> FileName<'_> {
    FileName::new(text).unwrap()
}

pub(crate) fn file(text: &str) -> Target<'_> {
    Target { name: name(text), draft: false }
}

/// What the daemon says of a call that has no answer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Answer<T> {
    Came(T),
    /// In the daemon's words.
    None(String),
}

/// Speaks to the files of a daemon.
pub(crate) struct Files(pub(crate) Connection);

impl Files {
    /// Files of a daemon, once its disk serves.
    pub(crate) fn of(daemon: &Process) -> Self {
        let mut files = Self(daemon.connect());
        eventually("the disk serves", || files.status(&Request::Hello) == FileStatus::Ok);
        files
    }

    pub(crate) fn send(&mut self, request: &Request<'_>) {
        let mut out = [0; 4000];
        let frame = encode(request, 9, &mut out).unwrap();
        self.0.send(&[b"cstatefsd ", frame].concat()).unwrap();
    }

    pub(crate) fn receive<T>(
        &mut self,
        request: &Request<'_>,
        look: impl FnOnce(FileStatus, Reply<'_>) -> T,
    ) -> Answer<T> {
        let mut buffer = [0; 4096];
        let len = self.0.recv(&mut buffer, Duration::from_secs(60)).unwrap();
        match buffer[..len].strip_prefix(b"ok ") {
            Some(frame) => {
                let (status, reply) = decode_reply(request.op(), 9, frame).unwrap();
                Answer::Came(look(status, reply))
            }
            None => Answer::None(String::from_utf8_lossy(&buffer[..len]).into_owned()),
        }
    }

    pub(crate) fn ask<T>(
        &mut self,
        request: &Request<'_>,
        look: impl FnOnce(FileStatus, Reply<'_>) -> T,
    ) -> T {
        self.send(request);
        match self.receive(request, look) {
            Answer::Came(answer) => answer,
            Answer::None(why) => panic!("{request:?}: {why}"),
        }
    }

    pub(crate) fn status(&mut self, request: &Request<'_>) -> FileStatus {
        self.ask(request, |status, _| status)
    }

    pub(crate) fn create(&mut self, text: &str, capacity: u32) -> FileStatus {
        self.status(&Request::Create(NewFile { name: name(text), capacity }))
    }

    pub(crate) fn append(&mut self, text: &str, at: u32, bytes: &[u8]) -> FileStatus {
        self.status(&Request::Append(Append { to: file(text), at, bytes }))
    }

    pub(crate) fn replace(&mut self, text: &str, bytes: &[u8]) -> FileStatus {
        self.status(&Request::Replace(Replace { name: name(text), bytes }))
    }

    pub(crate) fn epoch(&mut self) -> u64 {
        self.ask(&Request::Hello, |status, reply| match reply {
            Reply::Hello(hello) => hello.epoch,
            _ => panic!("{status:?}"),
        })
    }

    pub(crate) fn sync(&mut self) -> FileStatus {
        let epoch = self.epoch();
        self.status(&Request::Sync { epoch })
    }

    /// All of a file, `None` if there is none.
    pub(crate) fn read(&mut self, text: &str) -> Option<Vec<u8>> {
        let mut all = Vec::new();
        loop {
            let read = Read { draft: false, name: name(text), at: all.len() as u32, max: 3000 };
            let (len, piece) = self.ask(&Request::Read(read), |status, reply| match reply {
                Reply::Read(read) => Some((read.len as usize, read.bytes.to_vec())),
                _ if status == FileStatus::NotFound => None,
                _ => panic!("{status:?}"),
            })?;
            all.extend(piece);
            if all.len() == len {
                return Some(all);
            }
        }
    }
}
