//! Frames of bundlemgrd, version 1: programs with all that is to be known of them.
//!
//! Request: `'B' 'M' 1 op nonce:u32`, then the body. Reply: the same head with `op|0x80` and
//! `status:u8` before the nonce and, where something was asked for and found, a body.

mod name;
mod reply;
mod request;

pub use name::{BundleName, BundleVersion, StoredName, StoredVersion};
pub use reply::{
    BundlesWriter, Info, ListReply, Listed, Piece, Reply, decode_reply, encode_info, encode_piece,
    plain_reply,
};
pub use request::{Frame, Refusal, Request, decode, encode};

use crate::numbers::{numbers, vocabulary};

const MAGIC: [u8; 2] = *b"BM";

/// Bytes of the name of a bundle or of what it starts, at most.
pub const BUNDLE_NAME_BYTES_MAX: usize = 31;
/// Bytes of a version, at most.
pub const BUNDLE_VERSION_BYTES_MAX: usize = 16;
/// Bytes of a bundle in a frame, at most: as many as of a file.
pub const BUNDLE_PIECE_BYTES_MAX: usize = crate::FILE_BYTES_MAX;
/// Bytes of a digest: SHA-256.
pub const DIGEST_BYTES: usize = 32;

numbers! {
    /// What can be asked of bundlemgrd.
    Op {
        /// Which bundles there are.
        List = 1,
        /// What is known of a bundle.
        Query = 2,
        /// Begins to bring a bundle.
        Begin = 3,
        /// Brings its next bytes.
        Bring = 4,
        /// All of it has come: makes it a bundle.
        Commit = 5,
        /// Takes back what was brought.
        GiveUp = 6,
        /// Bytes of a bundle.
        Fetch = 7,
        /// Takes a bundle away.
        Remove = 8,
    }
}

vocabulary! {
    /// What bundlemgrd answers.
    BundleStatus {
        /// Done.
        Ok = 0 "ok",
        /// Malformed. Do not repeat it.
        InvalidArgs = 1 "invalid_args",
        /// Larger than a bundle, or a part of a frame, may be. Do not repeat it.
        OverLimit = 2 "over_limit",
        /// No bundle has that name.
        NotFound = 3 "not_found",
        /// The policy does not allow it, or could not be asked.
        Denied = 4 "denied",
        /// The bytes are no bundle, of another name, or have another digest.
        Corrupt = 5 "corrupt",
        /// A bundle of that name is there, or being brought.
        Exists = 6 "exists",
        /// Not the next bytes, not all of them, or nothing was begun. What has come is given up.
        OutOfOrder = 7 "out_of_order",
        /// Others have to be answered first. Repeat it.
        Busy = 8 "busy",
        /// The sender, or all together, have as many bytes or bundles as they may.
        OverQuota = 9 "over_quota",
        /// There is no disk, or it failed. Repeat it later.
        NotReady = 10 "not_ready",
    }
}

vocabulary! {
    /// Where a bundle is.
    Origin {
        /// In the boot image: it cannot be removed.
        Boot = 1 "boot",
        /// On the state disk.
        State = 2 "state",
    }
}
