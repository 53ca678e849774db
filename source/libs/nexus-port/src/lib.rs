//! What a service sees of its world, and what the world sees of a service.
//!
//! A [`Service`] is a state machine without clock, socket or system call. A port owns the loop: it
//! waits for whatever happens first, hands it over as an [`Event`] together with the time, and
//! carries out what the service asked of the [`World`]. Three ports exist: the OS (split-phase
//! IPC), Linux (`SOCK_SEQPACKET`), and the simulated world of the tests.
//!
//! Invariants: a service answers every [`Token`] once, in any order (an open one holds a place that
//! its sender cannot use); every accepted [`World::submit`] comes back as exactly one
//! [`Event::Completion`], never from inside `submit`.
//! Bytes lent with an event do not change while it is handled, whatever is submitted meanwhile.
//!
//! A [`Transport`] is the other direction: what a client library sees of its way to one service. A
//! [`CallLink`] makes one of calls, where the world has nothing but those. A [`OneCall`] is what a
//! service that asks another one question after the other keeps of it.
//! [`BlockRequest`] and [`BlockOutcome`] are what is said to and heard from a disk: by a service
//! with [`World::submit_block`] and [`Event::Block`], by whoever may wait with a [`BlockDevice`].
//!
//! Deliberately absent: blocking calls for services, and any way for one to learn which world it is
//! in.
#![no_std]
#![forbid(unsafe_code)]

mod block;
mod call_link;
mod event;
mod one_call;
mod transport;
mod world;

pub use block::{BlockDevice, BlockError, BlockOutcome, BlockRequest, SECTOR_BYTES};
pub use call_link::{CallLink, Caller};
pub use event::{CallError, Event, Now};
pub use one_call::OneCall;
pub use transport::{Closed, SendError, Transport};
pub use world::{BLOCK_SECTORS_MAX, BLOCKS_MAX, CallId, Service, SubmitError, Token, World};
