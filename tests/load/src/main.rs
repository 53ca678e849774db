//! What metricsd's processor time is per update, against a receiver that does nothing.
//!
//! `load METRICSD [ROUNDS]` starts the given metricsd and, in turn, a receiver that only takes
//! frames and acknowledges them; sends both the same pipelined BATCHes of 32 values by `SeriesId`;
//! and prints the processor time that each took per million updates, and their ratio. Both are
//! measured in the same run, in turns, and the medians are quoted: machines are noisy.
#![forbid(unsafe_code)]

mod empty;
mod sender;
mod subject;

use std::path::{Path, PathBuf};

use anyhow::Context as _;

use crate::sender::Sender;
use crate::subject::Subject;

/// Numbers of series that are measured, and what multiple of the empty receiver's time they may
/// cost.
const SERIES: [(u32, f64); 2] = [(64, 2.5), (4096, 3.5)];
/// Updates sent in one round.
const UPDATES: u32 = 2_000_000;

fn main() -> anyhow::Result<()> {
    let mut args = std::env::args_os().skip(1);
    let first = args.next().context("usage: load METRICSD [ROUNDS]")?;
    if first == "empty-receiver" {
        return empty::serve(Path::new(&args.next().context("usage: load empty-receiver SOCKET")?));
    }
    let rounds = args.next().map_or(Ok(5), |rounds| rounds.to_string_lossy().parse())?;
    let metricsd = PathBuf::from(first);
    let mut within = true;
    for (series, target) in SERIES {
        let (mut empty, mut real) = (Vec::new(), Vec::new());
        for _ in 0..rounds {
            empty.push(measure(&mut Subject::empty()?, series)?);
            real.push(measure(&mut Subject::metricsd(&metricsd)?, series)?);
        }
        let (empty, real) = (median(empty), median(real));
        println!(
            "metricsd_cpu_per_million_updates series={series} metricsd={real:.4}s \
             empty_receiver={empty:.4}s ratio={:.2} target<={target}",
            real / empty
        );
        within &= real / empty <= target;
    }
    anyhow::ensure!(within, "a target is missed");
    Ok(())
}

/// Seconds of the subject's processor time per million updates.
fn measure(subject: &mut Subject, series: u32) -> anyhow::Result<f64> {
    let mut sender = Sender::connect(subject, series)?;
    // Once round before it counts: caches are warm, and every series has its value.
    sender.send(series.max(32_000))?;
    let before = subject.cpu_seconds()?;
    sender.send(UPDATES)?;
    let spent = subject.cpu_seconds()? - before;
    Ok(spent * 1e6 / f64::from(UPDATES))
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
