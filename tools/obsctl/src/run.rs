//! `obsctl run -- CMD`: a span around a command.

use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{Command, ExitStatus};

use anyhow::{Context as _, bail};
use nexus_abi::ServiceId;
use nexus_wire::metrics::{Request, SpanEnd, SpanStart};
use nexus_wire::{
    AttrBytes, FieldsWriter, LABELS_BYTES_MAX, MetricStatus, NAME_BYTES_MAX, SpanId, SpanName,
    SpanStatus, TraceId, WideTraceId,
};
use rustix::time::{ClockId, clock_gettime};

use crate::Verdict;
use crate::cli::{Place, RunArgs};
use crate::daemons::Metrics;
use crate::trace::{Context, LIFE_KEY, Trace, VARIABLE};

pub(crate) fn run(place: &Place, args: &RunArgs) -> anyhow::Result<Verdict> {
    let (program, arguments) = args.command.split_first().context("which command?")?;
    let name = args.name.clone().unwrap_or_else(|| default_name(Path::new(program)));
    // Observation must not keep the command from running.
    let outer = Context::of_environment();
    let span = Span::start(place, &name, outer)
        .map_err(|error| eprintln!("obsctl: no span: {error:#}"))
        .ok();
    let mut command = Command::new(program);
    if let Some(span) = &span {
        command.env(VARIABLE, span.context.to_string());
    }
    let status = command.args(arguments).status();
    if let Some(span) = span
        && let Err(error) = span.end(status.as_ref().ok())
    {
        eprintln!("obsctl: the span's end is lost: {error:#}");
    }
    let status = match status {
        Ok(status) => status,
        Err(error) => {
            eprintln!("obsctl: {}: {error}", program.display());
            return Ok(Verdict::Code(exit_of(&error)));
        }
    };
    let code = status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or(0));
    Ok(Verdict::Code(u8::try_from(code).unwrap_or(1)))
}

/// What shells say of a command that could not be begun.
fn exit_of(error: &std::io::Error) -> u8 {
    if error.kind() == std::io::ErrorKind::NotFound { 127 } else { 126 }
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
    context: Context,
}

impl Span {
    /// Starts a span: the only one of this process, whose number is that of the process, so that
    /// commands within commands have ids of their own. Within a span of the same service it is
    /// part of that one's trace, and says in which life that trace was begun.
    fn start(place: &Place, name: &str, outer: Option<Context>) -> anyhow::Result<Self> {
        let name = SpanName::new(name).context("a span's name has 1 to 48 bytes")?;
        let mut metrics = Metrics::open(&place.dir())?;
        let hello = metrics.hello()?;
        let pid = std::process::id();
        let outer = outer.filter(|outer| is_own(outer, hello.service));
        let id = SpanId::new(hello.service, pid);
        let own =
            WideTraceId::new(hello.epoch, hello.incarnation, 0, TraceId::new(hello.service, pid));
        let trace = outer.map_or(Trace(own), |outer| outer.trace);
        let life = outer.map(|outer| outer.trace.life());
        let pid = pid.to_string();
        let mut attrs = vec![("pid", pid.as_str())];
        attrs.extend(life.as_deref().map(|life| (LIFE_KEY, life)));
        let mut buffer = [0; LABELS_BYTES_MAX];
        let request = Request::SpanStart(SpanStart {
            span: id,
            trace: trace.0.wire(),
            parent: outer.map_or(SpanId::NONE, |outer| outer.span),
            start_ns: monotonic_ns(),
            name: name.as_name_bytes(),
            attrs: attributes(&attrs, &mut buffer)?,
        });
        expect_ok(metrics.update(&request)?)?;
        Ok(Self { metrics, id, context: Context { trace, span: id } })
    }

    fn end(mut self, status: Option<&ExitStatus>) -> anyhow::Result<()> {
        let mut buffer = [0; LABELS_BYTES_MAX];
        let (key, value) = match status.map(|status| (status.code(), status.signal())) {
            Some((Some(code), _)) => ("exit", code),
            Some((None, Some(signal))) => ("signal", signal),
            _ => ("exit", -1),
        };
        let succeeded = status.is_some_and(ExitStatus::success);
        let request = Request::SpanEnd(SpanEnd {
            span: self.id,
            end_ns: monotonic_ns(),
            status: if succeeded { SpanStatus::Ok } else { SpanStatus::Error },
            attrs: attributes(&[(key, &value.to_string())], &mut buffer)?,
        });
        expect_ok(self.metrics.update(&request)?)
    }
}

/// Whether a trace is our service's, which alone we may take part in.
fn is_own(outer: &Context, service: ServiceId) -> bool {
    outer.trace.0.wire().belongs_to(service) && outer.span.belongs_to(service)
}

fn expect_ok(status: MetricStatus) -> anyhow::Result<()> {
    match status {
        MetricStatus::Ok => Ok(()),
        status => bail!("metricsd refused: {}", status.name()),
    }
}

fn attributes<'b>(pairs: &[(&str, &str)], buffer: &'b mut [u8]) -> anyhow::Result<AttrBytes<'b>> {
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
