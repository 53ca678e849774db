//! `obsctl run -- CMD`: a span around a command.

use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{Command, ExitStatus};

use anyhow::{Context as _, bail};
use nexus_wire::metrics::{Request, SpanEnd, SpanStart};
use nexus_wire::{
    AttrBytes, FieldsWriter, LABELS_BYTES_MAX, MetricStatus, NAME_BYTES_MAX, SpanId, SpanName,
    SpanStatus, TraceId,
};
use rustix::time::{ClockId, clock_gettime};

use crate::Verdict;
use crate::cli::{Place, RunArgs};
use crate::daemons::Metrics;

pub(crate) fn run(place: &Place, args: &RunArgs) -> anyhow::Result<Verdict> {
    let (program, arguments) = args.command.split_first().context("which command?")?;
    let name = args.name.clone().unwrap_or_else(|| default_name(Path::new(program)));
    // Observation must not keep the command from running.
    let span =
        Span::start(place, &name).map_err(|error| eprintln!("obsctl: no span: {error:#}")).ok();
    let status = Command::new(program).args(arguments).status();
    if let Some(span) = span
        && let Err(error) = span.end(status.as_ref().ok())
    {
        eprintln!("obsctl: the span's end is lost: {error:#}");
    }
    let status = status.with_context(|| program.display().to_string())?;
    let code = status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or(0));
    Ok(Verdict::Code(u8::try_from(code).unwrap_or(1)))
}

/// The last part of the command's path, cut to what a name may have.
fn default_name(program: &Path) -> String {
    let name = program.file_name().map(|name| name.to_string_lossy().into_owned());
    let mut name = name.unwrap_or_else(|| "run".to_owned());
    while name.len() > NAME_BYTES_MAX {
        name.pop();
    }
    name
}

struct Span {
    metrics: Metrics,
    id: SpanId,
}

impl Span {
    /// Starts a span of this process: its first and only one.
    fn start(place: &Place, name: &str) -> anyhow::Result<Self> {
        let name = SpanName::new(name).context("a span's name has 1 to 48 bytes")?;
        let mut metrics = Metrics::open(&place.dir())?;
        let service = metrics.hello()?.service;
        let (id, trace) = (SpanId::new(service, 1), TraceId::new(service, 1));
        let pid = std::process::id();
        let mut buffer = [0; LABELS_BYTES_MAX];
        let request = Request::SpanStart(SpanStart {
            span: id,
            trace,
            parent: SpanId::NONE,
            start_ns: monotonic_ns(),
            name: name.as_name_bytes(),
            attrs: attributes(&[("pid", i64::from(pid))], &mut buffer)?,
        });
        expect_ok(metrics.update(&request)?)?;
        Ok(Self { metrics, id })
    }

    fn end(mut self, status: Option<&ExitStatus>) -> anyhow::Result<()> {
        let mut buffer = [0; LABELS_BYTES_MAX];
        let outcome = match status.map(|status| (status.code(), status.signal())) {
            Some((Some(code), _)) => ("exit", i64::from(code)),
            Some((None, Some(signal))) => ("signal", i64::from(signal)),
            _ => ("exit", -1),
        };
        let succeeded = status.is_some_and(ExitStatus::success);
        let request = Request::SpanEnd(SpanEnd {
            span: self.id,
            end_ns: monotonic_ns(),
            status: if succeeded { SpanStatus::Ok } else { SpanStatus::Error },
            attrs: attributes(&[outcome], &mut buffer)?,
        });
        expect_ok(self.metrics.update(&request)?)
    }
}

fn expect_ok(status: MetricStatus) -> anyhow::Result<()> {
    match status {
        MetricStatus::Ok => Ok(()),
        status => bail!("metricsd refused: {}", status.name()),
    }
}

fn attributes<'b>(pairs: &[(&str, i64)], buffer: &'b mut [u8]) -> anyhow::Result<AttrBytes<'b>> {
    let mut writer = FieldsWriter::new(buffer);
    let all = pairs.iter().all(|(key, value)| writer.field(key, value));
    let fields = writer.finish().ok().filter(|_| all).context("attributes do not fit")?;
    AttrBytes::new(fields.as_str().as_bytes()).context("attributes do not fit")
}

/// The clock that metricsd uses too.
fn monotonic_ns() -> u64 {
    let time = clock_gettime(ClockId::Monotonic);
    let seconds = u64::try_from(time.tv_sec).unwrap_or_default();
    seconds * 1_000_000_000 + u64::try_from(time.tv_nsec).unwrap_or_default()
}
