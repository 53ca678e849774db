//! `obsctl status`: health, budgets left, losses.

use nexus_abi::ServiceId;
use nexus_wire::LedgerRow;
use serde_json::json;

use crate::Verdict;
use crate::audit::reasons_text;
use crate::cli::{Output, Place, StatusArgs};
use crate::daemons::{Both, Denied, rights_text};
use crate::names::Names;
use crate::render::{self, BAD, BOLD, GOOD, Screen, WARN};

/// What one daemon says of itself.
struct Report {
    who: String,
    state: Vec<(String, String)>,
    rows: Vec<LedgerRow>,
}

/// What a person should know of a daemon.
#[derive(Default)]
struct Troubles {
    /// What does not work now.
    now: Vec<String>,
    /// What was lost since the start.
    losses: Vec<String>,
}

/// Parts of the state and the value that they have while all works.
const HEALTHY: [(&str, &str); 5] = [
    ("export_away", "false"),
    ("export_ready", "true"),
    ("quarantined", "0"),
    ("ready", "1"),
    ("ready", "true"),
];

/// Totals that are 0 while nothing is lost.
const LOSSES: [&str; 12] = [
    "anchors_lost",
    "dropped",
    "export_refused",
    "export_spans_dropped",
    "helps_left_out",
    "port_crowded_cut",
    "port_evicted",
    "port_refused",
    "port_slow_cut",
    "saturations",
    "senders_displaced_active",
    "series_displaced",
];

/// What is shown of the state unless all of it is asked for.
const SUMMARY: [&str; 12] = [
    "boot",
    "bytes",
    "bytes_max",
    "export_queue_bytes",
    "logd_boot",
    "port_connections",
    "records",
    "records_max",
    "senders",
    "series",
    "series_cap",
    "spans_live",
];

pub(crate) fn run(place: &Place, args: &StatusArgs) -> anyhow::Result<Verdict> {
    let names = Names::of(place)?;
    let reports = reports(place, &names);
    let mut screen = Screen::new();
    let mut verdict = Verdict::Fine;
    for (daemon, report) in &reports {
        let troubles = report.as_ref().map(|report| troubles(report, &names)).unwrap_or_default();
        if report.is_err() || !troubles.now.is_empty() {
            verdict = Verdict::Broken;
        } else if !troubles.losses.is_empty() && verdict == Verdict::Fine {
            verdict = Verdict::Wrong;
        }
        match args.output.output {
            Output::Text => show(&mut screen, daemon, report, &troubles, &names, args.verbose)?,
            Output::Json => screen.json(&as_json(daemon, report, &troubles))?,
        }
    }
    Ok(verdict)
}

fn reports(place: &Place, names: &Names) -> [(&'static str, anyhow::Result<Report>); 2] {
    let both = Both::open(&place.dir());
    let who = |service, rights| {
        format!("you are {} and {}", names.of_service(service), rights_text(rights))
    };
    let logd = both.journal.and_then(|mut logd| {
        let hello = logd.hello()?;
        let who = who(hello.service, hello.rights);
        Ok(Report { who, state: readable(logd.status()?, names), rows: logd.audit()? })
    });
    let metricsd = both.metrics.and_then(|mut metricsd| {
        let hello = metricsd.hello()?;
        let who = who(hello.service, hello.rights);
        Ok(Report { who, state: readable(metricsd.status()?, names), rows: metricsd.audit()? })
    });
    [("logd", logd), ("metricsd", metricsd)]
}

/// The state with the name of a service where its number is the value.
fn readable(mut state: Vec<(String, String)>, names: &Names) -> Vec<(String, String)> {
    for (key, value) in &mut state {
        if let ("port_busiest_sender", Ok(service)) = (key.as_str(), value.parse()) {
            *value = names.of_service(ServiceId::from_raw(service));
        }
    }
    state
}

fn troubles(report: &Report, names: &Names) -> Troubles {
    let sick = report.state.iter().filter(|(key, value)| is_sick(key, value));
    let lost =
        report.state.iter().filter(|(key, value)| LOSSES.contains(&key.as_str()) && value != "0");
    let text = |(key, value): &(String, String)| format!("{key} {value}");
    let mut losses: Vec<_> = report.rows.iter().filter_map(|row| row_loss(row, names)).collect();
    losses.extend(lost.map(text));
    Troubles { now: sick.map(text).collect(), losses }
}

fn is_sick(key: &str, value: &str) -> bool {
    let mut known = HEALTHY.iter().filter(|(name, _)| *name == key).peekable();
    known.peek().is_some() && known.all(|(_, healthy)| *healthy != value)
}

fn row_loss(row: &LedgerRow, names: &Names) -> Option<String> {
    let mut parts = Vec::new();
    if row.refused_total() > 0 {
        parts.push(format!("refused {} ({})", row.refused_total(), reasons_text(row)));
    }
    for (what, count) in [
        ("folded into overflow", row.folded),
        ("dropped", row.dropped),
        ("lost by the sender itself", row.lost_by_client),
    ] {
        if count > 0 {
            parts.push(format!("{what} {count}"));
        }
    }
    (!parts.is_empty()).then(|| format!("{}: {}", names.of_row(row), parts.join(", ")))
}

fn show(
    screen: &mut Screen,
    daemon: &str,
    report: &anyhow::Result<Report>,
    troubles: &Troubles,
    names: &Names,
    verbose: bool,
) -> anyhow::Result<()> {
    let name = screen.paint(BOLD, daemon);
    let report = match report {
        Ok(report) => report,
        Err(error) => {
            let state = if error.is::<Denied>() { "denied" } else { "away" };
            return screen.line(&format!("{name}  {}  {error:#}", screen.paint(BAD, state)));
        }
    };
    let state = match (troubles.now.is_empty(), troubles.losses.is_empty()) {
        (true, true) => screen.paint(GOOD, "well"),
        (true, false) => screen.paint(WARN, "losses"),
        (false, _) => screen.paint(BAD, "broken"),
    };
    screen.line(&format!("{name}  {state}  {}", report.who))?;
    let shown = report.state.iter().filter(|(key, _)| verbose || SUMMARY.contains(&key.as_str()));
    let mut lines =
        render::table(1, &shown.map(|(k, v)| vec![k.clone(), v.clone()]).collect::<Vec<_>>());
    lines.extend(render::table(1, &budgets(report, names)));
    for line in lines {
        screen.line(&format!("  {line}"))?;
    }
    for trouble in &troubles.now {
        screen.line(&format!("  {}", screen.paint(BAD, &format!("! {trouble}"))))?;
    }
    for loss in &troubles.losses {
        screen.line(&format!("  {}", screen.paint(WARN, &format!("! {loss}"))))?;
    }
    Ok(())
}

/// What each sender may still send at once.
fn budgets(report: &Report, names: &Names) -> Vec<Vec<String>> {
    let mut table = vec![["SENDER", "EVENTS LEFT", "BYTES LEFT"].map(str::to_owned).to_vec()];
    let seated = report.rows.iter().filter(|row| row.service_id().is_some());
    table.extend(seated.map(|row| {
        vec![names.of_row(row), row.events_left.to_string(), render::bytes(row.bytes_left as f64)]
    }));
    table
}

fn as_json(
    daemon: &str,
    report: &anyhow::Result<Report>,
    troubles: &Troubles,
) -> serde_json::Value {
    match report {
        Ok(report) => {
            let state = report.state.iter().map(|(k, v)| (k.clone(), json!(v)));
            json!({
                "daemon": daemon,
                "reachable": true,
                "healthy": troubles.now.is_empty(),
                "troubles": troubles.now,
                "losses": troubles.losses,
                "state": serde_json::Map::from_iter(state),
            })
        }
        Err(error) => json!({
            "daemon": daemon,
            "reachable": error.is::<Denied>(),
            "healthy": false,
            "error": format!("{error:#}"),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_daemon_is_sick_only_where_it_is_known_what_is_healthy() {
        assert!(is_sick("ready", "0") && is_sick("export_ready", "false"));
        assert!(!is_sick("ready", "1") && !is_sick("ready", "true"));
        assert!(is_sick("export_away", "true") && is_sick("quarantined", "3"));
        assert!(!is_sick("boot", "0"));
    }
}
