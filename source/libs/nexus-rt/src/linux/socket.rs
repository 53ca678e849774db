//! System calls on `SOCK_SEQPACKET` sockets: one frame a packet, never blocking.
//!
//! An empty packet and the end of a connection both read as zero bytes. They are told apart by
//! `SO_PASSCRED`: the kernel puts the sender's credentials next to every packet, and next to the
//! end it puts nothing.

#![expect(unsafe_code, reason = "recvmsg and getsockopt, as rustix cannot do what is needed here")]

use std::io;
use std::mem::{MaybeUninit, size_of};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::Path;

use nexus_abi::FRAME_BYTES_MAX;
use nexus_bounded::Nanos;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::net::{
    AddressFamily, SendFlags, SocketAddrUnix, SocketFlags, SocketType, socket_with, sockopt,
};
use rustix::time::Timespec;

/// A buffer that holds any frame.
pub(crate) type FrameBuffer = [u8; FRAME_BYTES_MAX];

/// What one look into a socket found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Received {
    /// A frame of so many bytes, zero among them.
    Frame(usize),
    /// A packet longer than any frame. Its bytes are of no use and were dropped.
    Oversized,
    /// Nothing yet.
    Nothing,
    /// The other side sends no more.
    End,
}

/// Room for exactly the credentials: descriptors that a sender attaches do not fit and are closed
/// by the kernel.
#[repr(C, align(8))]
struct Control([MaybeUninit<u8>; CONTROL_BYTES]);

/// `CMSG_SPACE(sizeof(struct ucred))`: a header and the credentials, both padded to words.
const CONTROL_BYTES: usize =
    size_of::<libc::cmsghdr>() + size_of::<libc::ucred>().next_multiple_of(size_of::<usize>());

/// Takes one packet. The socket must have `SO_PASSCRED` (see [`connect`]).
pub(crate) fn receive(socket: &OwnedFd, buffer: &mut FrameBuffer) -> io::Result<Received> {
    let mut control = Control([MaybeUninit::uninit(); CONTROL_BYTES]);
    let mut part = libc::iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: buffer.len() };
    // SAFETY: msghdr is plain data, for which all zeroes is a legal value.
    let mut message: libc::msghdr = unsafe { MaybeUninit::zeroed().assume_init() };
    message.msg_iov = &raw mut part;
    message.msg_iovlen = 1;
    message.msg_control = control.0.as_mut_ptr().cast();
    message.msg_controllen = CONTROL_BYTES as _;
    loop {
        // SAFETY: `message` points to one buffer and one control area, both alive, writable and of
        // the stated lengths until the call returns.
        let count = unsafe {
            libc::recvmsg(
                socket.as_raw_fd(),
                &raw mut message,
                libc::MSG_DONTWAIT | libc::MSG_CMSG_CLOEXEC,
            )
        };
        let Ok(count) = usize::try_from(count) else {
            match io::Error::last_os_error() {
                error if error.kind() == io::ErrorKind::Interrupted => continue,
                error if error.kind() == io::ErrorKind::WouldBlock => return Ok(Received::Nothing),
                // The peer closed with answers unread. What it sent before is still to be read.
                error if error.kind() == io::ErrorKind::ConnectionReset => continue,
                error => return Err(error),
            }
        };
        return Ok(match count {
            0 if message.msg_controllen == 0 => Received::End,
            _ if message.msg_flags & libc::MSG_TRUNC != 0 => Received::Oversized,
            _ => Received::Frame(count),
        });
    }
}

/// Sends `frame` as one packet without blocking.
pub(crate) fn send(socket: &OwnedFd, frame: &[u8]) -> io::Result<()> {
    let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
    rustix::io::retry_on_intr(|| rustix::net::send(socket, frame, flags))?;
    Ok(())
}

/// An unconnected socket that does not block and is not inherited by programs we start.
fn unconnected() -> io::Result<OwnedFd> {
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    let socket = socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None)?;
    sockopt::set_socket_passcred(&socket, true)?;
    Ok(socket)
}

/// The address of a path.
///
/// # Errors
/// A path longer than 107 bytes.
pub(crate) fn address(path: &Path) -> io::Result<SocketAddrUnix> {
    SocketAddrUnix::new(path).map_err(|error| {
        let why = format!("{}: not usable as a socket path ({error})", path.display());
        io::Error::new(io::ErrorKind::InvalidInput, why)
    })
}

/// A socket bound to `to`, not yet listening. Accepted sockets inherit `SO_PASSCRED`.
pub(crate) fn bound(to: &SocketAddrUnix) -> io::Result<OwnedFd> {
    let socket = unconnected()?;
    rustix::net::bind(&socket, to)?;
    Ok(socket)
}

/// A socket connected to the listener at `to`, at once or not at all.
pub(crate) fn connect(to: &SocketAddrUnix) -> io::Result<OwnedFd> {
    let socket = unconnected()?;
    rustix::io::retry_on_intr(|| rustix::net::connect(&socket, to))?;
    Ok(socket)
}

/// Who is at the other end of an accepted socket: (pid, uid, gid) as the kernel noted them when the
/// peer connected. The pid is 0 if it lives in a process namespace that we do not see.
pub(crate) fn peer(socket: impl AsFd) -> io::Result<(u32, u32, u32)> {
    let mut credentials = libc::ucred { pid: 0, uid: u32::MAX, gid: u32::MAX };
    let mut length = size_of::<libc::ucred>() as libc::socklen_t;
    // SAFETY: the option writes at most `length` bytes to `credentials`, which has that size and
    // for which any bytes are a legal value.
    let result = unsafe {
        libc::getsockopt(
            socket.as_fd().as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_PEERCRED,
            (&raw mut credentials).cast(),
            &raw mut length,
        )
    };
    if result != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok((u32::try_from(credentials.pid).unwrap_or(0), credentials.uid, credentials.gid))
}

/// Whether the peer of an accepted socket has `group` among its supplementary groups. A peer with
/// more groups than fit into `scratch` is taken for no member.
pub(crate) fn peer_has_group(socket: impl AsFd, group: u32, scratch: &mut [u32]) -> bool {
    let mut length = size_of_val(scratch) as libc::socklen_t;
    // SAFETY: the option writes at most `length` bytes to `scratch`, which has that size and for
    // which any bytes are a legal value.
    let result = unsafe {
        libc::getsockopt(
            socket.as_fd().as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_PEERGROUPS,
            scratch.as_mut_ptr().cast(),
            &raw mut length,
        )
    };
    let count = length as usize / size_of::<u32>();
    result == 0 && scratch.get(..count).is_some_and(|groups| groups.contains(&group))
}

/// Waits for one descriptor, for at most `timeout`. It may return early.
pub(crate) fn wait(on: impl AsFd, what: PollFlags, timeout: Nanos) -> io::Result<()> {
    match poll(&mut [PollFd::new(&on, what)], Some(&timespec(timeout))) {
        Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// A length of time as the kernel takes it; at most a day, so that every kernel takes it.
pub(crate) fn timespec(time: Nanos) -> Timespec {
    let time = time.0.min(Nanos::from_secs(86_400).0);
    Timespec { tv_sec: (time / 1_000_000_000) as _, tv_nsec: (time % 1_000_000_000) as _ }
}
