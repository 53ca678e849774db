//! Which series are asked for.

use nexus_abi::ServiceId;
use nexus_bounded::Text;
use nexus_wire::metrics::Range;
use nexus_wire::{LABELS_BYTES_MAX, LabelBytes, Labels, NAME_BYTES_MAX};

use crate::key::SeriesKey;

/// Which series: a copy of what was asked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Selection {
    service: Option<ServiceId>,
    is_prefix: bool,
    name: Text<NAME_BYTES_MAX>,
    labels: Text<LABELS_BYTES_MAX>,
}

impl Selection {
    /// What a question asks for.
    #[must_use]
    pub fn of(range: &Range<'_>) -> Self {
        let labels = range.labels.fields().as_str();
        Self {
            service: range.service,
            is_prefix: range.is_prefix,
            // Both are within their bounds: they were decoded.
            name: Text::new(range.name).unwrap_or(Text::EMPTY),
            labels: Text::new(labels).unwrap_or(Text::EMPTY),
        }
    }

    /// Whether a series is asked for.
    #[must_use]
    pub fn takes(&self, key: &SeriesKey<'_>) -> bool {
        self.takes_name(key.name.as_str())
            && self.service.is_none_or(|service| service == key.service)
            && self.takes_labels(key.labels)
    }

    fn takes_name(&self, name: &str) -> bool {
        let wanted = self.name.as_str();
        if self.is_prefix { name.starts_with(wanted) } else { name == wanted }
    }

    fn takes_labels(&self, labels: Labels<'_>) -> bool {
        let wanted = LabelBytes::new(self.labels.as_str().as_bytes());
        let wanted = wanted.and_then(|bytes| Labels::parse(bytes).ok()).unwrap_or(Labels::EMPTY);
        wanted.fields().iter().all(|(key, value)| labels.fields().get(key) == Some(value))
    }
}

#[cfg(test)]
mod tests {
    use nexus_wire::{Kind, MetricName, Unit};

    use super::*;

    fn labels(text: &str) -> Labels<'_> {
        Labels::parse(LabelBytes::new(text.as_bytes()).unwrap()).unwrap()
    }

    fn takes(range: Range<'_>) -> bool {
        Selection::of(&range).takes(&SeriesKey {
            service: ServiceId::from_name("execd"),
            kind: Kind::Counter,
            unit: Unit::None,
            is_overflow: false,
            name: MetricName::new("jobs_total").unwrap(),
            labels: labels("code=1\nqueue=mail\n"),
        })
    }

    #[test]
    fn a_series_is_taken_if_all_that_is_asked_for_holds() {
        let exact = Range { is_prefix: false, name: "jobs_total", ..Range::ALL };
        for range in [
            Range::ALL,
            exact,
            Range { name: "jobs", ..Range::ALL },
            Range { labels: labels("queue=mail\n"), ..exact },
            Range { service: Some(ServiceId::from_name("execd")), ..exact },
        ] {
            assert!(takes(range), "{range:?}");
        }
        for range in [
            Range { name: "job", ..exact },
            Range { name: "jobs_total_", ..Range::ALL },
            Range { name: "obs", ..Range::ALL },
            Range { labels: labels("queue=mai\n"), ..exact },
            Range { labels: labels("other=mail\n"), ..exact },
            Range { service: Some(ServiceId::from_name("timed")), ..exact },
        ] {
            assert!(!takes(range), "{range:?}");
        }
    }
}
