//! Somebody between a client and metricsd.

use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use nexus_rt::linux::client::Connection;
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketAddrUnix, SocketType, accept, bind, listen, recv,
    send, socket,
};

/// What a relay does to frames on their way.
pub(crate) trait Middle: Send + 'static {
    /// Changes a request.
    fn request(&mut self, _frame: &mut [u8]) {}

    /// Changes the reply to it.
    fn reply(&mut self, _request: &[u8], _reply: &mut Vec<u8>) {}
}

/// Serves as metricsd in `folder`: everything is asked of the real one in `real`.
pub(crate) fn relay(folder: &Path, real: PathBuf, mut middle: impl Middle) {
    let listener = socket(AddressFamily::UNIX, SocketType::SEQPACKET, None).unwrap();
    bind(&listener, &SocketAddrUnix::new(folder.join("metricsd.sock")).unwrap()).unwrap();
    listen(&listener, 8).unwrap();
    std::thread::spawn(move || {
        while let Ok(peer) = accept(&listener) {
            serve(&peer, &mut Connection::open(&real, "metricsd").unwrap(), &mut middle);
        }
    });
}

fn serve(peer: &OwnedFd, metricsd: &mut Connection, middle: &mut impl Middle) {
    let (mut frame, mut reply) = ([0; 4096], [0; 4096]);
    while let Ok((len @ 1.., _)) = recv(peer, &mut frame, RecvFlags::empty()) {
        middle.request(&mut frame[..len]);
        let answered = metricsd.call(&frame[..len], &mut reply).unwrap();
        let mut reply = reply[..answered].to_vec();
        middle.reply(&frame[..len], &mut reply);
        if send(peer, &reply, SendFlags::NOSIGNAL).is_err() {
            return;
        }
    }
}
