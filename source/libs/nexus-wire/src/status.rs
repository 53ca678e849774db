//! The one table of statuses.

use crate::numbers::vocabulary;

vocabulary! {
    /// What metricsd answers.
    MetricStatus {
        /// Done.
        Ok = 0 "ok",
        /// Malformed, unknown, or not yours to say. Do not repeat it.
        InvalidArgs = 1 "invalid_args",
        /// Beyond a limit. In version 1 a legal counter or histogram update was counted in an
        /// overflow series nevertheless. Do not repeat it.
        OverLimit = 2 "over_limit",
        /// The sender's budget is used up for now.
        RateLimited = 3 "rate_limited",
        /// No such span or series of this sender.
        NotFound = 4 "not_found",
        /// Accepted, but counted in an overflow series. Do not repeat it.
        Folded = 16 "folded",
        /// A BATCH came before an earlier one. Resend from the acknowledged one.
        OutOfOrder = 17 "out_of_order",
        /// The sender lacks the right.
        Denied = 18 "denied",
        /// The series exists with other bounds or another unit.
        Conflict = 19 "conflict",
        /// Not now: a table that heals is full. Try later.
        NotReady = 20 "not_ready",
    }
}

vocabulary! {
    /// What logd answers.
    LogStatus {
        /// Done.
        Ok = 0 "ok",
        /// Reserved by the field; logd answers `invalid_args`.
        Malformed = 1 "malformed",
        /// Unknown version or operation.
        Unsupported = 2 "unsupported",
        /// Reserved by the field; logd answers `over_limit`.
        TooLarge = 3 "too_large",
        /// Malformed, not canonical, or a claim of identity. Do not repeat it.
        InvalidArgs = 4 "invalid_args",
        /// Beyond a limit. Do not repeat it.
        OverLimit = 5 "over_limit",
        /// The sender's budget is used up for now.
        RateLimited = 6 "rate_limited",
        /// The sender lacks the right.
        Denied = 18 "denied",
    }
}

vocabulary! {
    /// What statefsd answers.
    FileStatus {
        /// Done. What was changed is durable with the next SYNC that is.
        Ok = 0 "ok",
        /// Malformed, unknown, or no name. Do not repeat it.
        InvalidArgs = 1 "invalid_args",
        /// Beyond a limit of the wire. Do not repeat it.
        OverLimit = 2 "over_limit",
        /// The sender's budget is used up for now.
        RateLimited = 3 "rate_limited",
        /// No such file or draft of this sender.
        NotFound = 4 "not_found",
        /// There is a file of that name.
        Exists = 5 "exists",
        /// The file is not as long as the sender believes. STAT says how long it is.
        Conflict = 6 "conflict",
        /// The file does not grow any more.
        Finished = 7 "finished",
        /// The bytes do not fit into what the file has reserved.
        Full = 8 "full",
        /// The disk has no room, or none in few enough pieces.
        NoSpace = 9 "no_space",
        /// The sender has as many bytes, files or growing files as it may.
        OverQuota = 10 "over_quota",
        /// Too much is on its way to the disk. Repeat it a little later.
        Busy = 11 "busy",
        /// The disk did not do it. What of the changes is there shows in the next epoch.
        IoError = 12 "io_error",
        /// Bytes of the file are damaged; read on behind them.
        Damaged = 13 "damaged",
        /// Something of what was done in that epoch is lost. HELLO says which one this is.
        Lost = 14 "lost",
        /// The disk takes no writes. Attach it writable.
        ReadOnly = 15 "read_only",
        /// The sender has no share of the disk.
        Denied = 18 "denied",
        /// The disk cannot be used now. Try later.
        NotReady = 20 "not_ready",
    }
}
