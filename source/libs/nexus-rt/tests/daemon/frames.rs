//! One frame a packet, whatever is in it.

use std::io::ErrorKind;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::net::{
    AddressFamily, SendFlags, Shutdown, SocketAddrUnix, SocketType, connect, send, shutdown, socket,
};

use crate::process::{Setup, dir, eventually, start, text};

/// A socket without the manners of a client.
fn raw(dir: &std::path::Path) -> std::os::fd::OwnedFd {
    let raw = socket(AddressFamily::UNIX, SocketType::SEQPACKET, None).unwrap();
    connect(&raw, &SocketAddrUnix::new(dir.join("echod.sock")).unwrap()).unwrap();
    raw
}

fn received(raw: &std::os::fd::OwnedFd) -> Vec<u8> {
    let mut buffer = [0; 4096];
    let (len, _) =
        rustix::net::recv(raw, &mut buffer[..], rustix::net::RecvFlags::empty()).unwrap();
    buffer[..len].to_vec()
}

#[test]
fn an_empty_packet_is_a_frame_and_not_the_end() {
    let dir = dir();
    let daemon = start(dir.path(), &Setup::default());
    let mut connection = daemon.connect();
    assert_eq!(text(&mut connection, b""), "empty");
    assert_eq!(text(&mut connection, b""), "empty");
    assert_eq!(text(&mut connection, b"estill here"), "estill here");
}

#[test]
fn empty_packets_before_the_end_are_all_answered() {
    let dir = dir();
    let daemon = start(dir.path(), &Setup::default());
    // Stopped, so that the packets and the end are there before the daemon looks.
    let half = raw(dir.path());
    daemon.pause();
    for _ in 0..3 {
        send(&half, b"", SendFlags::empty()).unwrap();
    }
    shutdown(&half, Shutdown::Write).unwrap();
    daemon.signal(rustix::process::Signal::CONT);
    let answers = [received(&half), received(&half), received(&half), received(&half)];
    assert_eq!(answers, [b"empty".to_vec(), b"empty".to_vec(), b"empty".to_vec(), Vec::new()]);
    let mut other = daemon.connect();
    assert_eq!(daemon.total(&mut other, "port_ended"), 2);
}

#[test]
fn what_was_sent_before_a_close_is_taken_in() {
    let dir = dir();
    let daemon = start(dir.path(), &Setup::default());
    let mut other = daemon.connect();
    let before = daemon.total(&mut other, "echoes");
    daemon.pause();
    let dying = raw(dir.path());
    for _ in 0..5 {
        send(&dying, b"elast", SendFlags::empty()).unwrap();
    }
    drop(dying);
    daemon.signal(rustix::process::Signal::CONT);
    eventually("all are taken in", || daemon.total(&mut other, "echoes") == before + 5);
}

#[test]
fn what_was_sent_before_a_close_with_answers_unread_is_taken_in() {
    let dir = dir();
    let daemon = start(dir.path(), &Setup::default());
    let mut other = daemon.connect();
    let dying = raw(dir.path());
    send(&dying, b"eunread", SendFlags::empty()).unwrap();
    poll(&mut [PollFd::new(&dying, PollFlags::IN)], None).unwrap();
    let before = daemon.total(&mut other, "echoes");
    daemon.pause();
    for _ in 0..5 {
        send(&dying, b"elast", SendFlags::empty()).unwrap();
    }
    drop(dying);
    daemon.signal(rustix::process::Signal::CONT);
    eventually("all are taken in", || daemon.total(&mut other, "echoes") == before + 5);
}

#[test]
fn the_longest_frame_passes_and_a_longer_one_is_refused_in_its_turn() {
    let dir = dir();
    let daemon = start(dir.path(), &Setup::default());
    let mut connection = daemon.connect();
    let longest = "e".repeat(4096);
    assert_eq!(text(&mut connection, longest.as_bytes()), longest);
    let too_long = connection.send(&[b'e'; 4097]);
    assert_eq!(too_long.err().map(|error| error.kind()), Some(ErrorKind::InvalidInput));

    let rude = raw(dir.path());
    for frame in [b"ebefore".as_slice(), &[b'e'; 4097], &[b'e'; 100_000], b"eafter"] {
        send(&rude, frame, SendFlags::empty()).unwrap();
    }
    let answers = [received(&rude), received(&rude), received(&rude), received(&rude)];
    assert_eq!(answers, [b"ebefore".as_slice(), b"empty", b"empty", b"eafter"].map(<[u8]>::to_vec));
    assert_eq!(daemon.total(&mut connection, "port_oversized"), 2);
}

#[test]
fn random_bytes_are_frames_like_others() {
    let dir = dir();
    let daemon = start(dir.path(), &Setup::default());
    let mut connection = daemon.connect();
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    for round in 0..2000 {
        let frame: Vec<u8> = (0..round % 64)
            .map(|_| {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                // Upper case, which means nothing to the service, and any byte behind it.
                (state >> 56) as u8
            })
            .collect();
        let mut framed = b"X".to_vec();
        framed.extend(frame);
        assert_eq!(text(&mut connection, &framed), "malformed");
    }
}

#[test]
fn only_the_last_acknowledgement_of_a_turn_is_sent() {
    let dir = dir();
    let daemon = start(dir.path(), &Setup::default());
    let mut connection = daemon.connect();
    daemon.pause();
    for n in 0..10 {
        connection.send(format!("a{n}").as_bytes()).unwrap();
    }
    daemon.signal(rustix::process::Signal::CONT);
    let mut reply = [0; 16];
    let len = connection.recv(&mut reply, Duration::from_secs(60)).unwrap();
    assert_eq!(&reply[..len], b"a9");
    assert_eq!(daemon.total(&mut connection, "port_acks_merged"), 9);
    assert!(daemon.total(&mut connection, "port_naps") > 0, "acknowledgements can wait");
}

#[test]
fn an_acknowledgement_does_not_overtake_or_fall_behind_answers() {
    let dir = dir();
    let daemon = start(dir.path(), &Setup::default());
    let mut connection = daemon.connect();
    daemon.pause();
    for frame in ["a1", "a2", "e3", "a4", "a5", "e6", "a7"] {
        connection.send(frame.as_bytes()).unwrap();
    }
    daemon.signal(rustix::process::Signal::CONT);
    let mut answers = Vec::new();
    for _ in 0..5 {
        let mut reply = [0; 16];
        let len = connection.recv(&mut reply, Duration::from_secs(60)).unwrap();
        answers.push(String::from_utf8_lossy(&reply[..len]).into_owned());
    }
    assert_eq!(answers, ["a2", "e3", "a5", "e6", "a7"]);
}

#[test]
fn an_answer_may_come_later_and_wakes_come_when_asked_for() {
    let dir = dir();
    let daemon = start(dir.path(), &Setup::default());
    let mut connection = daemon.connect();
    assert_eq!(text(&mut connection, b"w"), "woken");
    connection.send(b"t").unwrap();
    let mut other = daemon.connect();
    assert_eq!(text(&mut other, b"enow"), "enow");
    let mut reply = [0; 16];
    let len = connection.recv(&mut reply, Duration::from_secs(60)).unwrap();
    assert_eq!(&reply[..len], b"late");
}

#[test]
fn an_answer_to_who_is_gone_is_dropped_and_counted() {
    let dir = dir();
    let daemon = start(dir.path(), &Setup::default());
    let mut leaving = daemon.connect();
    leaving.send(b"t").unwrap();
    drop(leaving);
    let mut other = daemon.connect();
    eventually("the answer has nobody to go to", || {
        daemon.total(&mut other, "port_replies_gone") == 1
    });
}
