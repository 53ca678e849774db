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
/// statefsd mounted the store on its disk: superblock and journal were read back.
pub const STATEFSD_READY: &str = "statefsd: ready";
/// statefsd refused something malformed.
pub const STATEFSD_REJECT_INVALID_ARGS: &str = "statefsd: reject invalid_args";
/// statefsd refused something beyond a limit or a quota.
pub const STATEFSD_REJECT_OVER_LIMIT: &str = "statefsd: reject over_limit";
/// statefsd refused something beyond its sender's budget.
pub const STATEFSD_REJECT_RATE_LIMITED: &str = "statefsd: reject rate_limited";
/// timed set a timer, saw it run out in time, and had it again no more.
pub const TIMED_READY: &str = "timed: ready";
/// policyd allowed what its table grants, and denied what it does not.
pub const POLICYD_READY: &str = "policyd: ready";
/// policyd refused something malformed.
pub const POLICYD_REJECT_INVALID_ARGS: &str = "policyd: reject invalid_args";
/// policyd refused something beyond a limit.
pub const POLICYD_REJECT_OVER_LIMIT: &str = "policyd: reject over_limit";
/// bundlemgrd read every bundle of the boot image back by its frames, each whole.
pub const BUNDLEMGRD_READY: &str = "bundlemgrd: ready";
/// bundlemgrd refused something malformed.
pub const BUNDLEMGRD_REJECT_INVALID_ARGS: &str = "bundlemgrd: reject invalid_args";
/// bundlemgrd refused something beyond a limit or a quota.
pub const BUNDLEMGRD_REJECT_OVER_LIMIT: &str = "bundlemgrd: reject over_limit";
/// execd refused what it must refuse and had nothing running.
pub const EXECD_READY: &str = "execd: ready";
/// execd refused something malformed.
pub const EXECD_REJECT_INVALID_ARGS: &str = "execd: reject invalid_args";
/// execd refused something beyond a limit.
pub const EXECD_REJECT_OVER_LIMIT: &str = "execd: reject over_limit";
/// entropyd gave out bytes of its device, and no two times the same.
pub const ENTROPYD_READY: &str = "entropyd: ready";
/// entropyd refused something malformed.
pub const ENTROPYD_REJECT_INVALID_ARGS: &str = "entropyd: reject invalid_args";
/// entropyd refused to give out more than a frame has.
pub const ENTROPYD_REJECT_OVER_LIMIT: &str = "entropyd: reject over_limit";
/// dsoftbusd opened a session with itself, said something over it, and refused a repeat.
pub const DSOFTBUSD_READY: &str = "dsoftbusd: ready";
/// As that, for the endpoint that it opens sessions with.
pub const DSOFTBUSD_PEER_READY: &str = "dsoftbusd-peer: ready";
/// dsoftbusd refused something malformed.
pub const DSOFTBUSD_REJECT_INVALID_ARGS: &str = "dsoftbusd: reject invalid_args";
/// dsoftbusd refused something beyond a limit.
pub const DSOFTBUSD_REJECT_OVER_LIMIT: &str = "dsoftbusd: reject over_limit";
/// The endpoint that it opens sessions with refused something malformed.
pub const DSOFTBUSD_PEER_REJECT_INVALID_ARGS: &str = "dsoftbusd-peer: reject invalid_args";
/// The endpoint that it opens sessions with refused something beyond a limit.
pub const DSOFTBUSD_PEER_REJECT_OVER_LIMIT: &str = "dsoftbusd-peer: reject over_limit";
/// Whatever logd must refuse it refused, and stored nothing of it.
pub const SELFTEST_LOGD_HARDENING: &str = "SELFTEST: logd hardening rejects ok";
/// Records came back by QUERY as they were appended, in order, within limit and since.
pub const SELFTEST_LOG_QUERY: &str = "SELFTEST: log query ok";
/// Whatever metricsd must refuse it refused, and exported nothing of it.
pub const SELFTEST_METRICS_SECURITY: &str = "SELFTEST: metrics security rejects ok";
/// Counters came back from logd with their exact totals.
pub const SELFTEST_METRICS_COUNTERS: &str = "SELFTEST: metrics counters ok";
/// Gauges came back from logd with their exact values.
pub const SELFTEST_METRICS_GAUGES: &str = "SELFTEST: metrics gauges ok";
/// Histograms came back from logd with their exact buckets.
pub const SELFTEST_METRICS_HISTOGRAMS: &str = "SELFTEST: metrics histograms ok";
/// Spans came back from logd with their exact ids, times and attributes.
pub const SELFTEST_TRACING_SPANS: &str = "SELFTEST: tracing spans ok";
/// policyd decided by its table, for nobody in another's name, and its numbers came back from logd.
pub const SELFTEST_POLICY: &str = "SELFTEST: policy decisions ok";
/// Timers of a class ended together, none too early, and timed's numbers came back from logd.
pub const SELFTEST_TIMED: &str = "SELFTEST: timed coalesce ok";
/// logd died and came back: metricsd counted on, records went on, the loss was told.
pub const SELFTEST_LOGD_OUTAGE: &str = "SELFTEST: logd outage ok";
/// metricsd died and came back: records went on, and it counted anew.
pub const SELFTEST_METRICSD_OUTAGE: &str = "SELFTEST: metricsd outage ok";
/// logd died again and again, and came back each time.
pub const SELFTEST_REPEATED_OUTAGES: &str = "SELFTEST: repeated outages ok";
/// policyd died and came back: nothing was allowed meanwhile, and that was said.
pub const SELFTEST_POLICYD_OUTAGE: &str = "SELFTEST: policyd outage ok";
/// policyd was ended while it was asked and came back; others went on, and the ledger balanced.
pub const SELFTEST_POLICYD_DEATH: &str = "SELFTEST: policyd death ok";
/// As that, for entropyd.
pub const SELFTEST_ENTROPYD_DEATH: &str = "SELFTEST: entropyd death ok";
/// As that, for timed.
pub const SELFTEST_TIMED_DEATH: &str = "SELFTEST: timed death ok";
/// As that, for execd; what it had begun was closed as abandoned.
pub const SELFTEST_EXECD_DEATH: &str = "SELFTEST: execd death ok";
/// As that, for bundlemgrd.
pub const SELFTEST_BUNDLEMGRD_DEATH: &str = "SELFTEST: bundlemgrd death ok";
/// As that, for dsoftbusd; what it had begun was closed as abandoned.
pub const SELFTEST_DSOFTBUSD_DEATH: &str = "SELFTEST: dsoftbusd death ok";
/// As that, for dsoftbusd-peer.
pub const SELFTEST_DSOFTBUSD_PEER_DEATH: &str = "SELFTEST: dsoftbusd-peer death ok";
/// As that, for statefsd.
pub const SELFTEST_STATEFSD_DEATH: &str = "SELFTEST: statefsd death ok";
/// Windows came back from metricsd by RANGE exactly, once they were durable, and logd had them too.
pub const SELFTEST_METRICS_RETENTION: &str = "SELFTEST: metrics retention ok";
/// As that, over boundaries of short and long windows, and steps are sums of windows.
pub const SELFTEST_METRICS_BOUNDARIES: &str = "SELFTEST: metrics boundaries ok";
/// Records of the boot before came back from logd exactly, under its number.
pub const SELFTEST_KEPT_LOGS: &str = "SELFTEST: kept logs ok";
/// Windows of the boot before came back from metricsd exactly, under its number.
pub const SELFTEST_KEPT_METRICS: &str = "SELFTEST: kept metrics ok";
/// Short and long windows that were made of those are their exact sums.
pub const SELFTEST_METRICS_ROLLUPS: &str = "SELFTEST: metrics rollups ok";
/// What metricsd had kept was set aside at its third death, told and counted; then it kept anew.
pub const SELFTEST_METRICS_SET_ASIDE: &str = "SELFTEST: metrics state set aside ok";
/// Sessions carried what was asked, and refused what was denied, strange, spoiled or too much.
pub const SELFTEST_SESSIONS: &str = "SELFTEST: sessions ok";
/// entropyd gave bytes out once, and refused what it must.
pub const SELFTEST_ENTROPY: &str = "SELFTEST: entropy rejects ok";
/// statefsd kept what it must, and refused what it must, others' files and floods among it.
pub const SELFTEST_STATEFSD: &str = "SELFTEST: statefsd rejects ok";
/// Somebody who may do nothing tried to read, use and end what we had: all of it was refused and
/// counted, and what we had went on.
pub const SELFTEST_OTHER_SENDERS: &str = "SELFTEST: other senders ok";
/// Bundles came and went, whole by their digests; each refusal had its reason, and all was counted.
pub const SELFTEST_BUNDLES: &str = "SELFTEST: bundles ok";
/// Programs started from bundles and ended, what must not start did not; all was counted, and
/// spans made trees.
pub const SELFTEST_EXEC: &str = "SELFTEST: exec path ok";
/// Programs crashed, and execd told of it with the very last lines that they had logged.
pub const SELFTEST_CRASH_REPORT: &str = "SELFTEST: crash report ok";
/// Bundles of the boot before were there and whole, and went when they were taken away.
pub const SELFTEST_KEPT_BUNDLES: &str = "SELFTEST: kept bundles ok";
/// Each core service has a record in the journal under the identity that the kernel stamps.
pub const SELFTEST_CORE_LOGS: &str = "SELFTEST: core services log ok";
/// What execd says of a crash, where `<pid>` stands for the number of the process.
pub const EXECD_CRASH_DEMO_CRASH: &str = "execd: crash report pid=<pid> code=143 name=demo.crash";
/// The same of another.
pub const EXECD_CRASH_DEMO_HOARD: &str = "execd: crash report pid=<pid> code=101 name=demo.hoard";
