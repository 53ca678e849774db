//! `obsctl status`: health, budgets used, losses.

use nexus_wire::LedgerRow;
use serde_json::json;

use crate::Verdict;
use crate::audit::reasons_text;
use crate::cli::{Output, Place};
use crate::daemons::{Both, rights_text};
use crate::names::Names;
use crate::render::{self, BAD, BOLD, GOOD, Screen, WARN};

/// What one daemon says of itself.
struct Report {
    daemon: &'static str,
    who: String,
    state: Vec<(String, String)>,
    rows: Vec<LedgerRow>,
}

pub(crate) fn run(place: &Place, output: Output) -> anyhow::Result<Verdict> {
    let names = Names::of(place)?;
    let both = Both::open(&place.dir());
    let reports = [
        (
            "logd",
            both.journal.and_then(|mut logd| {
                let hello = logd.hello()?;
                let who = whoami(&names, hello.service, hello.rights);
                Ok(Report { daemon: "logd", who, state: logd.status()?, rows: logd.audit()? })
            }),
        ),
        (
            "metricsd",
            both.metrics.and_then(|mut metricsd| {
                let hello = metricsd.hello()?;
                let who = whoami(&names, hello.service, hello.rights);
                let (state, rows) = (metricsd.status()?, metricsd.audit()?);
                Ok(Report { daemon: "metricsd", who, state, rows })
            }),
        ),
    ];
    let mut screen = Screen::new();
    let mut verdict = Verdict::Fine;
    for (daemon, report) in &reports {
        let troubles = report.as_ref().map(|report| troubles(report, &names)).unwrap_or_default();
        if report.is_err() || !troubles.is_empty() {
            verdict = Verdict::Wrong;
        }
        match output {
            Output::Text => show(&mut screen, daemon, report, &troubles)?,
            Output::Json => show_json(&mut screen, daemon, report, &troubles)?,
        }
    }
    Ok(verdict)
}

fn whoami(names: &Names, service: nexus_abi::ServiceId, rights: nexus_abi::Rights) -> String {
    format!("you are {} and {}", names.of_service(service), rights_text(rights))
}

/// What a person should know of: losses, refusals, and whatever is full.
fn troubles(report: &Report, names: &Names) -> Vec<String> {
    let mut troubles: Vec<_> =
        report.rows.iter().filter_map(|row| row_trouble(row, names)).collect();
    troubles.extend(report.state.iter().filter_map(|(key, value)| state_trouble(key, value)));
    troubles
}

fn row_trouble(row: &LedgerRow, names: &Names) -> Option<String> {
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

/// Totals that are 0 while all is well.
const LOSSES: [&str; 10] = [
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
];

fn state_trouble(key: &str, value: &str) -> Option<String> {
    (LOSSES.contains(&key) && value != "0").then(|| format!("{key} {value}"))
}

fn show(
    screen: &mut Screen,
    daemon: &str,
    report: &anyhow::Result<Report>,
    troubles: &[String],
) -> anyhow::Result<()> {
    let name = screen.paint(BOLD, daemon);
    let report = match report {
        Ok(report) => report,
        Err(error) => {
            return screen.line(&format!("{name}  {}  {error:#}", screen.paint(BAD, "away")));
        }
    };
    let state = if troubles.is_empty() { (GOOD, "well") } else { (WARN, "losses") };
    screen.line(&format!("{name}  {}  {}", screen.paint(state.0, state.1), report.who))?;
    let rows: Vec<_> = report.state.iter().map(|(k, v)| vec![k.clone(), v.clone()]).collect();
    for line in render::table(1, &rows) {
        screen.line(&format!("  {line}"))?;
    }
    for trouble in troubles {
        screen.line(&format!("  {}", screen.paint(WARN, &format!("! {trouble}"))))?;
    }
    Ok(())
}

fn show_json(
    screen: &mut Screen,
    daemon: &str,
    report: &anyhow::Result<Report>,
    troubles: &[String],
) -> anyhow::Result<()> {
    let object = match report {
        Ok(report) => {
            let state = report.state.iter().map(|(k, v)| (k.clone(), json!(v)));
            json!({
                "daemon": report.daemon,
                "reachable": true,
                "well": troubles.is_empty(),
                "troubles": troubles,
                "state": serde_json::Map::from_iter(state),
            })
        }
        Err(error) => {
            json!({ "daemon": daemon, "reachable": false, "error": format!("{error:#}") })
        }
    };
    screen.json(&object)
}
