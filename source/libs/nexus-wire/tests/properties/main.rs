//! What holds for every frame: a decoded one is what was encoded, and no input panics.

#![expect(clippy::unwrap_used, reason = "a test may stop where it stands")]

mod any;
mod bundles;
mod dsoftbusd;
mod fields;
mod hostile;
mod ids;
mod ledger;
mod logd;
mod logd_replies;
mod metricsd;
mod metricsd_replies;
mod policyd;
mod range;
mod statefsd;
mod timed;
