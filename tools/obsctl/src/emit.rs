//! `obsctl log` and `obsctl count`: for scripts.

use std::io::BufRead as _;

use anyhow::{Context as _, bail};
use nexus_wire::logs::NewRecord;
use nexus_wire::metrics::{Request, Update};
use nexus_wire::{
    FIELDS_BYTES_MAX, Fields, FieldsWriter, LABELS_BYTES_MAX, LabelBytes, MESSAGE_BYTES_MAX,
    MetricName, MetricStatus, SCOPE_BYTES_MAX, is_key,
};

use crate::Verdict;
use crate::cli::{CountArgs, LogArgs, Place};
use crate::daemons::{Journal, Metrics};
use crate::trace::{Context, LIFE_KEY};

pub(crate) fn log(place: &Place, args: &LogArgs) -> anyhow::Result<Verdict> {
    let mut buffer = [0; FIELDS_BYTES_MAX];
    let words = with_span(&args.fields, Context::of_environment());
    let fields = canonical(&words, &mut buffer)?;
    anyhow::ensure!(args.scope.len() <= SCOPE_BYTES_MAX, "a scope has at most 64 bytes");
    let mut journal = Journal::open(&place.dir())?;
    let mut append = |message: &str| {
        let fields = fields.as_str().as_bytes();
        let record = NewRecord { level: args.priority, scope: &args.scope, message, fields };
        let length = message.len();
        anyhow::ensure!(
            length <= MESSAGE_BYTES_MAX,
            "the message has {length} bytes, {MESSAGE_BYTES_MAX} are the most"
        );
        journal.append(&record).map(drop)
    };
    if args.message == "-" {
        for line in std::io::stdin().lock().lines() {
            append(&line.context("standard input")?)?;
        }
    } else {
        append(&args.message)?;
    }
    Ok(Verdict::Fine)
}

pub(crate) fn count(place: &Place, args: &CountArgs) -> anyhow::Result<Verdict> {
    let name = metric_name(&args.name)?;
    let (value, labels) = split_value(&args.rest)?;
    let mut buffer = [0; LABELS_BYTES_MAX];
    let labels = canonical(labels, &mut buffer)?;
    let name = name.as_name_bytes();
    let labels =
        LabelBytes::new(labels.as_str().as_bytes()).context("at most 192 bytes of labels")?;
    let unsigned = || {
        let why = || format!("{value} is negative; only a gauge may be so, see --gauge");
        u64::try_from(value).ok().with_context(why)
    };
    let request = match (args.gauge, args.observe) {
        (true, _) => Request::GaugeSet(Update { name, labels, value }),
        (false, true) => Request::HistObserve(Update { name, labels, value: unsigned()? }),
        (false, false) => Request::CounterInc(Update { name, labels, value: unsigned()? }),
    };
    match Metrics::open(&place.dir())?.update(&request)? {
        MetricStatus::Ok => Ok(Verdict::Fine),
        MetricStatus::OverLimit if !args.gauge => {
            eprintln!("obsctl: counted, but in an overflow series: a cap on series is reached");
            Ok(Verdict::Wrong)
        }
        status => bail!("metricsd refused: {}", status.name()),
    }
}

/// A name as programs must write theirs.
fn metric_name(text: &str) -> anyhow::Result<MetricName<'_>> {
    let legal = text.starts_with(|first: char| first.is_ascii_lowercase()) && is_key(text);
    MetricName::new(text).filter(|_| legal).with_context(|| {
        format!(
            "{text:?} is no name of a metric: a lower-case letter, then a-z, 0-9, `_`, `.` and \
             `-`, 48 bytes at most, as breads_total"
        )
    })
}

/// The value, 1 if none is given, and the labels.
fn split_value(words: &[String]) -> anyhow::Result<(i64, &[String])> {
    let Some((first, labels)) = words.split_first() else { return Ok((1, words)) };
    if first.contains('=') {
        return Ok((1, words));
    }
    let value = first.parse().ok().with_context(|| {
        format!("{first:?} is neither a whole number below 2^63 nor a label key=value")
    })?;
    Ok((value, labels))
}

/// The fields, and those that say in which span they are logged unless they say it themselves.
fn with_span(fields: &[String], context: Option<Context>) -> Vec<String> {
    let mut words = fields.to_vec();
    let Some(Context { trace, span }) = context else { return words };
    let is_ours = |word: &String| {
        ["span_id=", "trace_id=", "trace_life="].iter().any(|key| word.starts_with(key))
    };
    if !fields.iter().any(is_ours) {
        words.push(format!("span_id={span}"));
        words.push(format!("trace_id={}", trace.0.wire()));
        words.push(format!("{LIFE_KEY}={}", trace.life()));
    }
    words
}

/// `key=value` words as canonical fields, in the order that they must have.
pub(crate) fn canonical<'b>(words: &[String], buffer: &'b mut [u8]) -> anyhow::Result<Fields<'b>> {
    let mut pairs = words
        .iter()
        .map(|word| word.split_once('=').with_context(|| format!("{word:?} is not key=value")))
        .collect::<anyhow::Result<Vec<_>>>()?;
    pairs.sort();
    let mut writer = FieldsWriter::new(buffer);
    for (key, value) in pairs {
        if !writer.field(key, value) {
            bail!(
                "{key}={value}: too long in all, a key twice, or a character that keys \
                 ([a-z0-9_.-]) or values (no newline) must not have"
            );
        }
    }
    writer.finish().map_err(|_| anyhow::anyhow!("the fields do not fit"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(words: &[&str]) -> Result<String, String> {
        let words: Vec<_> = words.iter().map(|word| (*word).to_owned()).collect();
        let mut buffer = [0; 32];
        let fields = canonical(&words, &mut buffer);
        fields.map(|fields| fields.as_str().to_owned()).map_err(|error| error.to_string())
    }

    #[test]
    fn a_value_is_a_number_and_the_rest_are_labels() {
        let split = |words: &[&str]| {
            let words: Vec<_> = words.iter().map(|word| (*word).to_owned()).collect();
            split_value(&words).map(|(value, labels)| (value, labels.len())).ok()
        };
        assert_eq!(split(&[]), Some((1, 0)));
        assert_eq!(split(&["kind=rye"]), Some((1, 1)));
        assert_eq!(split(&["-3", "kind=rye"]), Some((-3, 1)));
        assert_eq!(split(&["many", "kind=rye"]), None);
        assert_eq!(split(&["1.5"]), None);
    }

    #[test]
    fn names_are_those_that_programs_may_have() {
        assert!(metric_name("host.disk_bytes-1_total").is_ok());
        for bad in ["", "Breads", "1bread", "_x", "a b", "a\u{e4}", &"a".repeat(49)] {
            let why = metric_name(bad).err().map(|error| error.to_string()).unwrap_or_default();
            assert!(why.contains("a lower-case letter"), "{bad}");
        }
    }

    #[test]
    fn a_record_within_a_span_says_so_unless_it_says_otherwise() {
        let context = "00-0000000300000c006c895f3200000001-6c895f3200000005-01".parse().ok();
        let words = with_span(&["a=1".to_owned()], context);
        let span = ["span_id=6c895f3200000005", "trace_id=6c895f3200000001", "trace_life=3.12"];
        assert_eq!(words[1..], span);
        assert_eq!(with_span(&["span_id=1".to_owned()], context), ["span_id=1"], "its own word");
    }

    #[test]
    fn fields_are_sorted_and_checked() {
        assert_eq!(fields(&["b=2", "a=x=y"]), Ok("a=x=y\nb=2\n".to_owned()));
        for bad in [
            &["a"][..],
            &["A=1"],
            &["a=1", "a=2"],
            &["a=b\nc"],
            &["a=0123456789012345678901234567890"],
        ] {
            assert!(fields(bad).is_err(), "{bad:?}");
        }
    }
}
