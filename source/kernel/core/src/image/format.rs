//! The bytes of an image, little-endian. The builder writes these records and the kernel reads
//! them, both by what stands here.
//!
//! A header, then tables of the other records wherever the header says, then names and segments.
//! Segments begin at multiples of a page, so that what nobody writes is mapped where it lies.

/// How an image begins.
pub const MAGIC: u64 = u64::from_le_bytes(*b"neuron\0\x01");

/// A segment that may be read only.
pub const READ: u32 = 0;
/// A segment that may be written too.
pub const WRITE: u32 = 1;
/// A segment that may be executed too.
pub const EXECUTE: u32 = 2;

macro_rules! record {
    ($(#[$outer:meta])* $name:ident { $($(#[$inner:meta])* $field:ident: $type:ty,)* }) => {
        $(#[$outer])*
        #[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
        pub struct $name { $($(#[$inner])* pub $field: $type,)* }

        impl $name {
            /// How long it is.
            pub const BYTES: usize = 0 $(+ size_of::<$type>())*;

            /// Reads the one at the beginning of `bytes`.
            #[must_use]
            pub fn read(bytes: &[u8]) -> Option<Self> {
                $(let ($field, bytes) = bytes.split_first_chunk()?;)*
                let _ = bytes;
                Some(Self { $($field: <$type>::from_le_bytes(*$field),)* })
            }

            /// Hands its bytes to `out`, piece by piece.
            pub fn write(&self, mut out: impl FnMut(&[u8])) {
                $(out(&self.$field.to_le_bytes());)*
            }
        }
    };
}

record! {
    /// The beginning.
    Header {
        /// [`MAGIC`].
        magic: u64,
        /// The version of the kernel's interface that the programs were built for.
        abi: u32,
        /// Bytes of the whole image.
        bytes: u32,
        /// How many [`EntryRecord`]s there are.
        entries: u32,
        /// Where they begin.
        entries_at: u32,
        /// How many [`SegmentRecord`]s there are.
        segments: u32,
        /// Where they begin.
        segments_at: u32,
        /// How many [`CapabilityRecord`]s there are.
        capabilities: u32,
        /// Where they begin.
        capabilities_at: u32,
        /// How many [`ResourceRecord`]s there are.
        resources: u32,
        /// Where they begin.
        resources_at: u32,
    }
}

record! {
    /// A service, or anything else that may be started.
    EntryRecord {
        /// Its id.
        service: u64,
        /// What its program finds in `a0`.
        argument: u64,
        /// Where it begins to run.
        start: u64,
        /// Where its name lies.
        name_at: u32,
        /// How long its name is.
        name_bytes: u32,
        /// Pages it may have, page tables included.
        pages: u32,
        /// Pages of stack among them.
        stack_pages: u32,
        /// Its first segment and how many there are.
        segments_from: u32,
        /// How many.
        segments: u32,
        /// Its first capability.
        capabilities_from: u32,
        /// How many.
        capabilities: u32,
        /// Its priority.
        level: u32,
        /// What is stamped on its requests at most.
        rights: u32,
    }
}

record! {
    /// A part of a program.
    SegmentRecord {
        /// Where it is mapped.
        address: u64,
        /// Where its bytes lie.
        at: u32,
        /// How many there are; the rest is zero.
        bytes: u32,
        /// Pages that are mapped.
        pages: u32,
        /// [`READ`], [`WRITE`] or [`EXECUTE`].
        access: u32,
    }
}

record! {
    /// Something that an entry may do.
    CapabilityRecord {
        /// A `CapabilityKind`.
        kind: u32,
        /// The entry or the resource it is about.
        target: u32,
        /// For shared regions: 1 if they may be written.
        writable: u32,
    }
}

record! {
    /// A device window, interrupt, pool or shared region.
    ResourceRecord {
        /// The id of its name.
        key: u64,
        /// A `CapabilityKind`.
        kind: u32,
        /// Pages, or the number of the interrupt.
        size: u32,
        /// Where a device window lies.
        physical: u64,
    }
}
