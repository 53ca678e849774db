//! A receiver that takes frames, does nothing with them, and acknowledges as metricsd does: once
//! for all frames of a drain.

use std::path::Path;

use nexus_wire::MetricStatus;
use nexus_wire::metrics::{self, BatchAck, Request};
use rustix::io::Errno;
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketAddrUnix, SocketType, accept, bind, listen, recv,
    send, socket,
};

/// Frames of one drain, as metricsd's port takes them.
const FRAMES_PER_TURN: usize = 16;

/// Serves one connection and ends with it.
pub(crate) fn serve(path: &Path) -> anyhow::Result<()> {
    let listener = socket(AddressFamily::UNIX, SocketType::SEQPACKET, None)?;
    bind(&listener, &SocketAddrUnix::new(path)?)?;
    listen(&listener, 1)?;
    let peer = accept(&listener)?;
    let mut frame = [0; 4096];
    loop {
        let (mut len, _) = recv(&peer, &mut frame, RecvFlags::empty())?;
        if len == 0 {
            return Ok(());
        }
        for _ in 1..FRAMES_PER_TURN {
            match recv(&peer, &mut frame, RecvFlags::DONTWAIT) {
                Ok((0, _)) => return Ok(()),
                Ok((next, _)) => len = next,
                Err(Errno::WOULDBLOCK) => break,
                Err(error) => return Err(error.into()),
            }
        }
        let last = frame.get(..len).unwrap_or_default();
        send(&peer, &acknowledgement(last), SendFlags::empty())?;
    }
}

fn acknowledgement(frame: &[u8]) -> [u8; BatchAck::FRAME_BYTES] {
    let decoded = metrics::decode(frame);
    let (nonce, applied_seq) = match decoded.map(|frame| (frame.nonce, frame.request)) {
        Ok((nonce, Request::Batch(batch))) => (nonce, batch.seq),
        Ok((nonce, _)) => (nonce, 0),
        Err(refusal) => (refusal.nonce, 0),
    };
    BatchAck { applied_seq, refused_items: 0 }.encode(MetricStatus::Ok, nonce)
}
