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
