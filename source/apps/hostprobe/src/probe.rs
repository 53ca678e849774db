//! One module's worth of `/proc` for each thing that is read.
//!
//! Names follow `docs/observability/metrics.md`: base units in the name, few label values, totals
//! end in `_total`. A source that a machine does not have is counted and not tried in vain again.

use std::collections::BTreeSet;
use std::time::Instant;

use nexus_metrics::{
    CounterFamily, GaugeFamily, HistogramFamily, counter, counter_family, gauge, gauge_family,
    histogram_family, span,
};
use procfs::{Current as _, CurrentSI as _, ProcError};

use crate::rise::Rises;

static READ_DURATION: HistogramFamily<1> = histogram_family!(
    "hostprobe_read_duration_ns",
    ["source"],
    unit = Nanoseconds,
    help = "time it took to read a source"
);
static READ_FAILURES: CounterFamily<1> = counter_family!(
    "hostprobe_read_failures_total",
    ["source"],
    help = "readings of a source that failed"
);
static CPU_TIME: CounterFamily<1> = counter_family!(
    "host_cpu_time_ms_total",
    ["mode"],
    unit = Milliseconds,
    help = "time of all processors by what they did"
);
static MEMORY: GaugeFamily<1> =
    gauge_family!("host_memory_bytes", ["state"], unit = Bytes, help = "memory by state");
static LOAD: GaugeFamily<1> = gauge_family!(
    "host_load_milli",
    ["minutes"],
    help = "runnable tasks on average, in thousandths"
);
static DISK_BYTES: CounterFamily<2> = counter_family!(
    "host_disk_bytes_total",
    ["direction", "disk"],
    unit = Bytes,
    help = "bytes read from and written to disks"
);
static DISK_BUSY: CounterFamily<1> = counter_family!(
    "host_disk_busy_ms_total",
    ["disk"],
    unit = Milliseconds,
    help = "time in which a disk had something to do"
);
static NETWORK_BYTES: CounterFamily<2> = counter_family!(
    "host_network_bytes_total",
    ["direction", "interface"],
    unit = Bytes,
    help = "bytes received and sent"
);
static NETWORK_ERRORS: CounterFamily<2> = counter_family!(
    "host_network_errors_total",
    ["direction", "interface"],
    help = "packets lost or damaged"
);
static PRESSURE: GaugeFamily<2> = gauge_family!(
    "host_pressure_ppm",
    ["resource", "stalled"],
    unit = PartsPerMillion,
    help = "share of the last 10 s in which tasks waited for a resource"
);

/// Bytes in a sector of `/proc/diskstats`, whatever the disk's own sectors are.
const SECTOR_BYTES: u64 = 512;

type Reading = Result<(), ProcError>;

/// Reads the machine, again and again.
#[derive(Debug, Default)]
pub(crate) struct Probe {
    rises: Rises,
    missing: BTreeSet<&'static str>,
    failing: BTreeSet<&'static str>,
}

impl Probe {
    /// Reads every source once, each within a span of its own.
    pub(crate) fn read(&mut self) {
        let _span = span!("probe.read");
        self.source("cpu", Self::read_cpu);
        self.source("memory", |_| read_memory());
        self.source("load", |_| read_load());
        self.source("disks", Self::read_disks);
        self.source("network", Self::read_network);
        self.source("pressure", |_| read_pressure());
        counter!("hostprobe_reads_total", help = "rounds of readings").inc();
    }

    fn source(&mut self, source: &'static str, read: impl FnOnce(&mut Self) -> Reading) {
        if self.missing.contains(source) {
            return;
        }
        let mut span = span!("probe.source", source = source);
        let start = Instant::now();
        let reading = read(self);
        READ_DURATION.with([source]).observe_duration(start.elapsed());
        match reading {
            Ok(()) => {
                self.failing.remove(source);
            }
            Err(error) => {
                span.fail();
                READ_FAILURES.with([source]).inc();
                self.note_failure(source, &error);
            }
        }
    }

    /// Logs what has not been logged of a source before: what goes on failing is counted.
    fn note_failure(&mut self, source: &'static str, error: &ProcError) {
        if matches!(error, ProcError::NotFound(_)) {
            self.missing.insert(source);
            nexus_log::info!("hostprobe", "this machine lacks a source"; source = source);
        } else if self.failing.insert(source) {
            nexus_log::warn!("hostprobe", "a source cannot be read"; error = error, of = source);
        }
    }

    fn read_cpu(&mut self) -> Reading {
        let stat = procfs::KernelStats::current()?;
        let tick_ms = 1000 / procfs::ticks_per_second().max(1);
        let total = &stat.total;
        for (mode, ticks) in [
            ("user", total.user + total.nice),
            ("system", total.system),
            ("idle", total.idle),
            ("iowait", total.iowait.unwrap_or(0)),
            ("irq", total.irq.unwrap_or(0) + total.softirq.unwrap_or(0)),
            ("steal", total.steal.unwrap_or(0)),
        ] {
            let key = format!("cpu/{mode}");
            self.rises.follow(&key, ticks.saturating_mul(tick_ms), CPU_TIME.with([mode]));
        }
        let switches =
            counter!("host_context_switches_total", help = "changes of the task at work");
        self.rises.follow("switches", stat.ctxt, switches);
        let forks = counter!("host_processes_created_total", help = "processes and threads made");
        self.rises.follow("forks", stat.processes, forks);
        Ok(())
    }

    fn read_disks(&mut self) -> Reading {
        let disks = procfs::diskstats()?;
        let disks: Vec<_> = disks.into_iter().filter(|disk| is_whole_disk(&disk.name)).collect();
        for disk in &disks {
            let name = disk.name.as_str();
            for (direction, sectors) in
                [("read", disk.sectors_read), ("written", disk.sectors_written)]
            {
                let key = format!("disk/{name}/{direction}");
                let counter = DISK_BYTES.with([direction, name]);
                self.rises.follow(&key, sectors.saturating_mul(SECTOR_BYTES), counter);
            }
            let key = format!("disk/{name}/busy");
            self.rises.follow(&key, disk.time_in_progress, DISK_BUSY.with([name]));
        }
        let there = |key: &str| disks.iter().any(|disk| is_part_of(key, &disk.name));
        self.rises.retain("disk/", there);
        Ok(())
    }

    fn read_network(&mut self) -> Reading {
        let interfaces = procfs::net::dev_status()?;
        for (name, status) in &interfaces {
            for (direction, bytes, errors) in [
                ("received", status.recv_bytes, status.recv_errs + status.recv_drop),
                ("sent", status.sent_bytes, status.sent_errs + status.sent_drop),
            ] {
                let key = format!("net/{name}/{direction}");
                self.rises.follow(&key, bytes, NETWORK_BYTES.with([direction, name]));
                let key = format!("net/{name}/{direction}_errors");
                self.rises.follow(&key, errors, NETWORK_ERRORS.with([direction, name]));
            }
        }
        let there = |key: &str| interfaces.keys().any(|name| is_part_of(key, name));
        self.rises.retain("net/", there);
        Ok(())
    }
}

/// Whether `key` is `name/..`.
fn is_part_of(key: &str, name: &str) -> bool {
    key.strip_prefix(name).is_some_and(|rest| rest.starts_with('/'))
}

/// Disks, not their partitions, nor what only maps a file or memory.
fn is_whole_disk(name: &str) -> bool {
    let ends_in_digit = name.ends_with(|last: char| last.is_ascii_digit());
    let numbered = name.starts_with("nvme") || name.starts_with("mmcblk");
    match name {
        _ if ["loop", "ram", "zram", "dm-"].iter().any(|prefix| name.starts_with(prefix)) => false,
        _ if numbered => !name.trim_end_matches(|c: char| c.is_ascii_digit()).ends_with('p'),
        _ => !ends_in_digit,
    }
}

fn read_memory() -> Reading {
    let memory = procfs::Meminfo::current()?;
    let cached = memory.cached + memory.buffers;
    for (state, bytes) in [
        ("total", Some(memory.mem_total)),
        ("free", Some(memory.mem_free)),
        ("available", memory.mem_available),
        ("cached", Some(cached)),
        ("swap_total", Some(memory.swap_total)),
        ("swap_free", Some(memory.swap_free)),
    ] {
        if let Some(bytes) = bytes.and_then(|bytes| i64::try_from(bytes).ok()) {
            MEMORY.with([state]).set(bytes);
        }
    }
    Ok(())
}

fn read_load() -> Reading {
    let load = procfs::LoadAverage::current()?;
    for (minutes, tasks) in [("1", load.one), ("5", load.five), ("15", load.fifteen)] {
        LOAD.with([minutes]).set(thousandths(tasks));
    }
    gauge!("host_tasks", help = "tasks on this machine").set(i64::from(load.max));
    Ok(())
}

fn thousandths(value: f32) -> i64 {
    (f64::from(value) * 1e3).round() as i64
}

fn read_pressure() -> Reading {
    let cpu = procfs::CpuPressure::current()?;
    set_pressure("cpu", "some", &cpu.some);
    let memory = procfs::MemoryPressure::current()?;
    set_pressure("memory", "some", &memory.some);
    set_pressure("memory", "full", &memory.full);
    let io = procfs::IoPressure::current()?;
    set_pressure("io", "some", &io.some);
    set_pressure("io", "full", &io.full);
    Ok(())
}

/// Percent to parts per million.
fn set_pressure(resource: &str, stalled: &str, record: &procfs::PressureRecord) {
    let ppm = (f64::from(record.avg10) * 1e4).round() as i64;
    PRESSURE.with([resource, stalled]).set(ppm);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_disks_are_counted() {
        for whole in ["sda", "vda", "nvme0n1", "mmcblk0", "xvda"] {
            assert!(is_whole_disk(whole), "{whole}");
        }
        for part in ["sda1", "vda2", "nvme0n1p1", "mmcblk0p2", "loop0", "ram3", "dm-0", "zram0"] {
            assert!(!is_whole_disk(part), "{part}");
        }
    }

    #[test]
    fn keys_belong_to_whole_names() {
        assert!(is_part_of("sda/read", "sda"));
        assert!(!is_part_of("sdab/read", "sda"));
    }

    #[test]
    fn this_machine_can_be_read() {
        let mut probe = Probe::default();
        probe.read();
        probe.read();
        assert!(!probe.missing.contains("cpu") && !probe.missing.contains("memory"));
    }
}
