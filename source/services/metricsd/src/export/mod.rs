//! Export to logd: ended spans at once, snapshots of series in rounds, and what was lost.
//!
//! Everything leaves as log records with canonical fields; what does not fit one record is split
//! into parts. A frame is kept until logd has answered it, and sent again if logd died or had no
//! time: `seq` tells repeats from new records. Of spans the newest give way when the queue is full;
//! whatever is lost is counted with its sender and told by a `gap` record. Nothing here waits: a
//! logd that stands still costs a place in flight and, once the queue is full, spans.
//!
//! Law: the export starts no work because of its own records. Snapshots go by the clock, so
//! metricsd's own series cost one record a round however much they change.
//!
//! Records:
//! - scope `spans`, message = name, level info or, for errors and abandoned spans, warn:
//!   `attr.<k> dur_ns end_ns event=span.v1 incarnation name origin parent reason seq span start_ns
//!   status trace`
//! - scope `metrics`, message = name, level info: `at_ns boot catchup=1 count created_ns
//!   event=metric.v1 kind label.<k> le.<bound> name origin overflow=1 seq series sum unit value
//!   w<length>.{count,last,max,min,n,sum}`. `le.*` counts observations up to that bound and stands
//!   only where it rises, `le.inf` is above all bounds.
//! - scope `metricsd`: `ready`, and `gap` with `boot count event=gap.v1 first_ns last_ns origin
//!   reason`, and `retention` with `before_boot before_end_ns boot event=retention.v1 found from_ns
//!   lost_records lost_windows reason seq skipped state`, when what is kept on a disk fares
//!   otherwise than before.
//!
//! `origin` is the sender's service id. Records that are split say `part=i/n`, and each part says
//! `event name origin seq` and `span trace` or `boot series`.
//!
//! Deliberately absent: an order between spans and snapshots, and any guarantee beyond at least
//! once.

mod backoff;
mod budget;
mod calls;
mod draft;
mod exporter;
mod feed;
mod gaps;
mod metric_fields;
mod parts;
mod proof;
mod rounds;
mod span_fields;
mod span_queue;
mod state_change;

pub(crate) use exporter::Exporter;
pub(crate) use rounds::SeriesSource;
pub(crate) use state_change::StateChange;

#[cfg(test)]
pub(crate) mod tests;
