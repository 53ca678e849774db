//! The one list of lines that prove something. Whoever prints one has just seen it to be true.

/// logd appended a record and read it back.
pub const LOGD_READY: &str = "logd: ready";
/// logd refused something malformed, not canonical, or a claim of identity.
pub const LOGD_REJECT_INVALID_ARGS: &str = "logd: reject invalid_args";
/// logd refused something beyond a limit.
pub const LOGD_REJECT_OVER_LIMIT: &str = "logd: reject over_limit";
/// logd refused something beyond its sender's budget.
pub const LOGD_REJECT_RATE_LIMITED: &str = "logd: reject rate_limited";
/// logd acknowledged a record of metricsd's, and metricsd read it back.
pub const METRICSD_READY: &str = "metricsd: ready";
/// metricsd refused something malformed, or a claim of identity.
pub const METRICSD_REJECT_INVALID_ARGS: &str = "metricsd: reject invalid_args";
/// metricsd refused or folded something beyond a limit.
pub const METRICSD_REJECT_OVER_LIMIT: &str = "metricsd: reject over_limit";
/// metricsd refused something beyond its sender's budget.
pub const METRICSD_REJECT_RATE_LIMITED: &str = "metricsd: reject rate_limited";
