//! `obsctl log` and `obsctl count`: for scripts.

use std::io::BufRead as _;

use anyhow::{Context as _, bail};
use nexus_wire::logs::NewRecord;
use nexus_wire::metrics::{Request, Update};
use nexus_wire::{
    FIELDS_BYTES_MAX, Fields, FieldsWriter, LABELS_BYTES_MAX, LabelBytes, MESSAGE_BYTES_MAX,
    MetricName, MetricStatus, SCOPE_BYTES_MAX,
};

use crate::Verdict;
use crate::cli::{CountArgs, LogArgs, Place};
use crate::daemons::{Journal, Metrics};

pub(crate) fn log(place: &Place, args: &LogArgs) -> anyhow::Result<Verdict> {
    let mut buffer = [0; FIELDS_BYTES_MAX];
    let fields = canonical(&args.fields, &mut buffer)?;
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
    let name = MetricName::new(&args.name)
        .context("a metric's name has 1 to 48 bytes and no control characters")?;
    let mut buffer = [0; LABELS_BYTES_MAX];
    let labels = canonical(&args.labels, &mut buffer)?;
    let name = name.as_name_bytes();
    let labels =
        LabelBytes::new(labels.as_str().as_bytes()).context("at most 192 bytes of labels")?;
    let unsigned =
        || u64::try_from(args.value).context("only a gauge may be negative; see --gauge");
    let request = match (args.gauge, args.observe) {
        (true, _) => Request::GaugeSet(Update { name, labels, value: args.value }),
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
