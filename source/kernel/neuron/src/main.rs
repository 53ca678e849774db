//! `neuron`, a small preemptive microkernel for riscv64: Sv39, S-mode on SBI, one hart.
//!
//! What is decided lives in `neuron-core`; what is here does it: traps, page tables, time, the
//! console, interrupts. Its interface is `nexus_abi::kernel`, explained in `docs/kernel.md`.
//!
//! Invariants: interrupts are off while the kernel runs, so nothing here is entered twice. User
//! memory is reached by its physical address only, found in the page tables of its process and
//! checked there; the kernel never follows a user pointer. After boot no table grows.
//!
//! Deliberately absent: more than one hart, drivers (but for what a kernel cannot do without), and
//! anything about what processes say to each other.
#![cfg_attr(target_os = "none", no_std, no_main)]

#[cfg(target_os = "none")]
mod boot;
#[cfg(target_os = "none")]
mod calls;
#[cfg(target_os = "none")]
mod console;
#[cfg(target_os = "none")]
mod devices;
#[cfg(target_os = "none")]
mod entry;
#[cfg(target_os = "none")]
mod floats;
#[cfg(target_os = "none")]
mod hardware;
#[cfg(target_os = "none")]
mod memory;
#[cfg(target_os = "none")]
mod neuron;
#[cfg(target_os = "none")]
mod physical;
#[cfg(target_os = "none")]
mod platform;
#[cfg(target_os = "none")]
mod space;

/// Elsewhere there is nothing to run.
#[cfg(not(target_os = "none"))]
fn main() {
    println!("neuron runs on riscv64 without an operating system: `cargo xtask kernel` boots it");
}
