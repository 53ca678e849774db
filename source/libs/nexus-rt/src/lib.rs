//! Ports: what carries frames, time and signals between a service and its world.
//!
//! A port owns the loop around a [`nexus_port::Service`] and is the only place that knows an
//! operating system. `linux` runs services as ordinary daemons over `SOCK_SEQPACKET` sockets and
//! gives programs their way to them. `os`, which exists where there is no other system, is what a
//! process of the kernel `neuron` stands on.
//!
//! Around services a port sees bytes and senders and nothing of what they say. For programs it also
//! drives the client libraries (`clients`), each in its own way.
#![cfg_attr(target_os = "none", no_std)]

mod clients;
#[cfg(not(target_os = "none"))]
pub mod linux;
#[cfg(target_os = "none")]
pub mod os;

/// Elsewhere such a program has nothing to stand on.
#[cfg(not(target_os = "none"))]
#[macro_export]
macro_rules! program {
    ($main:expr) => {
        fn main() {
            eprintln!("this is a program of the guest: see scripts/qemu-test.sh");
        }
    };
}

/// As [`program!`].
#[cfg(not(target_os = "none"))]
#[macro_export]
macro_rules! service {
    ($name:literal, $make:expr $(, $aside:expr)?) => {
        $crate::program!($make);
    };
}
