//! `obsctl history`, and what `obsctl metrics` says of a time: what is kept of series, read from
//! metricsd or from its files.

mod data;
mod show;
mod source;
mod when;

use anyhow::bail;
use nexus_wire::metrics::Range;
use nexus_wire::{LABELS_BYTES_MAX, LabelBytes, Labels};

use crate::Verdict;
use crate::cli::{HistoryArgs, MetricsArgs, Place, When};
use crate::names::Names;
pub(crate) use data::History;
use source::Source;
use when::Times;

/// Which series, in words that have been judged.
struct Wanted {
    name: String,
    is_prefix: bool,
    unit: Option<String>,
    /// Canonical labels.
    labels: String,
}

impl Wanted {
    fn range(&self) -> anyhow::Result<Range<'_>> {
        let labels = LabelBytes::new(self.labels.as_bytes()).map(Labels::parse);
        let Some(Ok(labels)) = labels else {
            bail!(
                "--label takes key=value with a key of [a-z0-9_.-], each key once, \
                 {LABELS_BYTES_MAX} bytes in all"
            );
        };
        if self.name.len() > nexus_wire::NAME_BYTES_MAX {
            bail!("no metric has a name of more than {} bytes", nexus_wire::NAME_BYTES_MAX);
        }
        let service = self.unit.as_deref().map(Names::service);
        Ok(Range { name: &self.name, is_prefix: self.is_prefix, service, labels, ..Range::ALL })
    }
}

/// Labels in canonical order.
fn canonical(labels: &[String]) -> String {
    let mut lines: Vec<String> = labels.iter().map(|pair| format!("{pair}\n")).collect();
    lines.sort_by(|a, b| a.split('=').next().cmp(&b.split('=').next()));
    lines.concat()
}

/// `obsctl history`.
pub(crate) fn run(place: &Place, args: &HistoryArgs) -> anyhow::Result<Verdict> {
    let wanted = Wanted {
        name: args.name.clone(),
        is_prefix: args.prefix,
        unit: args.unit.clone(),
        labels: canonical(&args.label),
    };
    let (history, times, is_whole) = read(place, &wanted, &args.when)?;
    let names = Names::of(place)?;
    show::steps(&history, &times, &names, args.output.output)?;
    Ok(verdict(&history, is_whole))
}

/// `obsctl metrics` with a time, or of files.
pub(crate) fn summary(place: &Place, args: &MetricsArgs) -> anyhow::Result<Verdict> {
    let wanted = Wanted {
        name: args.name.clone(),
        is_prefix: true,
        unit: args.unit.clone(),
        labels: String::new(),
    };
    let (history, times, is_whole) = read(place, &wanted, &args.when)?;
    let names = Names::of(place)?;
    show::summary(&history, &times, &names, args)?;
    Ok(verdict(&history, is_whole))
}

fn verdict(history: &History, is_whole: bool) -> Verdict {
    if history.lost.is_empty() && is_whole { Verdict::Fine } else { Verdict::Wrong }
}

/// What is kept of some series in a time, and whether all of it could be read.
fn read(place: &Place, wanted: &Wanted, when: &When) -> anyhow::Result<(History, Times, bool)> {
    let series = wanted.range()?;
    let mut source = Source::open(place)?;
    let times = Times::of(&mut source)?;
    let (from, to) = times.between(when)?;
    let step_ns = when.step.unwrap_or_default();
    let tier = when.tier.unwrap_or(nexus_wire::Tier::Auto);
    let history = History::read(&mut source, &Range { from, to, step_ns, tier, ..series })?;
    let is_whole = source.end();
    if history.series.is_empty() && history.lost.is_empty() {
        eprintln!("obsctl: nothing is kept of such a series in that time");
    }
    Ok((history, times, is_whole))
}
