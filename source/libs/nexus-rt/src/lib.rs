//! Ports: what carries frames, time and signals between a service and its world.
//!
//! A port owns the loop around a [`nexus_port::Service`] and is the only place that knows an
//! operating system. [`linux`] runs services as ordinary daemons over `SOCK_SEQPACKET` sockets and
//! gives programs their way to them.
//!
//! Deliberately absent: anything about journals, metrics or spans. A port sees bytes and senders.

pub mod linux;
