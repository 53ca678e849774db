/// Entries of an image, and so processes at a time: an entry has one life at a time.
pub const PROCESSES_MAX: usize = 64;

/// Calls that a process may have under way, to all callees together.
pub const CALLS_MAX: usize = 4;

/// Capabilities of a process.
pub const CAPABILITIES_MAX: usize = 64;

/// The first slots, which alone may hold capabilities for devices, interrupts, pools and regions.
pub const RESOURCE_SLOTS: usize = 32;

/// Priorities; level 0 goes first.
pub const LEVELS: usize = 8;

/// Bytes of a line on the console, without its end.
pub const LINE_BYTES_MAX: usize = 256;

/// Pages that one call of `grow` adds at most.
pub const GROW_PAGES_MAX: usize = 64;

/// Bytes of a page.
pub const PAGE_BYTES: usize = 4096;

/// The deadline that never comes, in ticks.
pub const NEVER: u64 = u64::MAX;

/// Where the segments of a program begin.
pub const ADDRESS_IMAGE: usize = 0x4000_0000;

/// Where the memory begins that `grow` adds.
pub const ADDRESS_HEAP: usize = 0x5000_0000;

/// Where device windows, pools and shared regions are mapped.
pub const ADDRESS_RESOURCES: usize = 0x6000_0000;

/// Where the stack ends, seen from below. Nothing is mapped around it.
pub const ADDRESS_STACK_END: usize = 0x7fff_f000;
