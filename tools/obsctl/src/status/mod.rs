//! `obsctl status`: health, budgets left, losses.

mod kept;
mod losses;

use jiff::tz::TimeZone;
use nexus_abi::ServiceId;
use nexus_wire::LedgerRow;
use nexus_wire::state::{logd, metricsd};
use serde_json::{Value, json};

use crate::Verdict;
use crate::cli::{Output, Place, StatusArgs};
use crate::clock::{self, Calendar};
use crate::daemons::{Both, Denied, Journal, rights_text};
use crate::names::{Daemon, Names};
use crate::render::{self, BAD, BOLD, GOOD, Screen, WARN, visible};
use losses::OwnGaps;

/// What one daemon says of itself.
struct Report {
    daemon: Daemon,
    who: String,
    now_ns: u64,
    state: Vec<(String, String)>,
    rows: Vec<LedgerRow>,
    /// What senders say they could not bring here.
    gaps: Vec<OwnGaps>,
}

/// What a person should know of a daemon.
#[derive(Default)]
struct Troubles {
    /// What does not work now.
    now: Vec<String>,
    /// What was lost since the start, or is being lost.
    losses: Vec<String>,
}

/// Parts of the state and the value that they have while all works.
const HEALTHY: [(&str, &str); 4] = [
    (metricsd::EXPORT_AWAY, "false"),
    (metricsd::EXPORT_READY, "true"),
    (logd::READY, "1"),
    (logd::READY, "true"),
];

/// What there is room for: what it is called, how much is taken, how much there is at most.
const ROOMS: [(&str, &str, &str); 8] = [
    ("records", logd::RECORDS, logd::RECORDS_MAX),
    ("bytes of records", logd::BYTES, logd::BYTES_MAX),
    ("senders", logd::SENDERS, logd::SENDERS_MAX),
    ("senders", metricsd::SENDERS, metricsd::SENDERS_CAP),
    ("series", metricsd::SERIES, metricsd::SERIES_CAP),
    ("registrations", metricsd::REGISTRATIONS, metricsd::REGISTRATIONS_CAP),
    ("lives of senders", metricsd::SESSIONS, metricsd::SESSIONS_CAP),
    ("blocks of text", metricsd::TEXT_BLOCKS, metricsd::TEXT_BLOCKS_CAP),
];

/// What else is shown of the state unless all of it is asked for.
const SUMMARY: [&str; 5] = [
    logd::BOOT,
    metricsd::LOGD_BOOT,
    metricsd::SPANS_LIVE,
    metricsd::EXPORT_QUEUE_BYTES,
    "port_connections",
];

pub(crate) fn run(place: &Place, args: &StatusArgs) -> anyhow::Result<Verdict> {
    if let (Some(logd), Some(metricsd)) = (place.kept("logd"), place.kept("metricsd")) {
        return kept::show(&[("logd", logd), ("metricsd", metricsd)], args.output.output);
    }
    let names = Names::of(place)?;
    let mut calendar = Calendar::default();
    let reports = reports(place, &names, &mut calendar);
    let mut screen = Screen::new();
    let mut verdict = Verdict::Fine;
    for (daemon, report) in &reports {
        let troubles = report.as_ref().map(|report| troubles(report, &names, &calendar));
        let troubles = troubles.unwrap_or_default();
        if report.is_err() || !troubles.now.is_empty() {
            verdict = Verdict::Broken;
        } else if !troubles.losses.is_empty() && verdict == Verdict::Fine {
            verdict = Verdict::Wrong;
        }
        match args.output.output {
            Output::Text => show(&mut screen, *daemon, report, &troubles, &names, args.verbose)?,
            Output::Json => screen.json(&as_json(*daemon, report, &troubles, &names))?,
        }
    }
    Ok(verdict)
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

fn reports(
    place: &Place,
    names: &Names,
    calendar: &mut Calendar,
) -> [(Daemon, anyhow::Result<Report>); 2] {
    let both = Both::open(&place.dir());
    let who = |service, rights| {
        format!("you are {} and {}", visible(&names.of_service(service)), rights_text(rights))
    };
    let logd = both.journal.and_then(|mut logd: Journal| {
        let hello = logd.hello()?;
        let who = who(hello.service, hello.rights);
        *calendar = logd.calendars()?.of(0).clone();
        let (state, rows) = (readable(logd.status()?, names), logd.audit()?);
        let gaps = losses::own_gaps(&mut logd)?;
        Ok(Report { daemon: Daemon::Logd, who, now_ns: hello.now_ns, state, rows, gaps })
    });
    let metricsd = both.metrics.and_then(|mut metricsd| {
        let hello = metricsd.hello()?;
        let who = who(hello.service, hello.rights);
        let state = readable(metricsd.status()?, names);
        let (rows, gaps) = (metricsd.audit()?, Vec::new());
        Ok(Report { daemon: Daemon::Metricsd, who, now_ns: hello.now_ns, state, rows, gaps })
    });
    [(Daemon::Logd, logd), (Daemon::Metricsd, metricsd)]
}

fn troubles(report: &Report, names: &Names, calendar: &Calendar) -> Troubles {
    let until = |ns: u64| match calendar.wall(ns) {
        Some(_) => clock::short_time(calendar, ns, &TimeZone::system()),
        None => format!("{} from now", render::duration(ns.saturating_sub(report.now_ns))),
    };
    let sick = report.state.iter().filter(|(key, value)| is_sick(key, value));
    let mut losses = losses::of_rows(&report.rows, names);
    losses.extend(report.gaps.iter().map(|gaps| gaps.text(names)));
    losses.extend(losses::of_state(&report.state));
    losses.extend(losses::quarantines(&report.state, names, &until));
    Troubles { now: sick.map(|(key, value)| format!("{key} {value}")).collect(), losses }
}

fn is_sick(key: &str, value: &str) -> bool {
    let mut known = HEALTHY.iter().filter(|(name, _)| *name == key).peekable();
    known.peek().is_some() && known.all(|(_, healthy)| *healthy != value)
}

fn show(
    screen: &mut Screen,
    daemon: Daemon,
    report: &anyhow::Result<Report>,
    troubles: &Troubles,
    names: &Names,
    verbose: bool,
) -> anyhow::Result<()> {
    let name = screen.paint(BOLD, daemon.name());
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
    let shown: Vec<_> = shown.map(|(k, v)| vec![k.clone(), visible(v).into_owned()]).collect();
    let mut lines = render::table(1, &shown);
    lines.extend(render::table(1, &rooms(report)));
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

/// How much is taken of what there is.
fn rooms(report: &Report) -> Vec<Vec<String>> {
    let number = |wanted: &str| {
        let found = report.state.iter().find(|(key, _)| key == wanted);
        found.and_then(|(_, value)| value.parse::<u64>().ok())
    };
    let mut rows = vec![["ROOM FOR", "TAKEN", "AT MOST"].map(str::to_owned).to_vec()];
    rows.extend(ROOMS.iter().filter_map(|(what, taken, most)| {
        let (taken, most) = (number(taken)?, number(most)?);
        Some(vec![(*what).to_owned(), taken.to_string(), most.to_string()])
    }));
    rows
}

/// What a sender may still send at once, of how much: left and most of events, left and most of
/// bytes. The most is the recipe's; a daemon that was started with another one may have left more.
fn budget(report: &Report, names: &Names, row: &LedgerRow) -> [Option<u64>; 4] {
    let budget = names.budget(report.daemon, row.service);
    let most = |most: Option<u32>, left| most.map(u64::from).filter(|most| *most >= left);
    let events = most(budget.map(|budget| budget.events_burst), row.events_left);
    let bytes = most(budget.map(|budget| budget.bytes_burst), row.bytes_left);
    [Some(row.events_left), events, Some(row.bytes_left), bytes]
}

fn budgets(report: &Report, names: &Names) -> Vec<Vec<String>> {
    let head = ["BUDGET OF", "EVENTS LEFT", "AT MOST", "BYTES LEFT", "AT MOST"];
    let mut table = vec![head.map(str::to_owned).to_vec()];
    let seated = report.rows.iter().filter(|row| row.service_id().is_some());
    table.extend(seated.map(|row| {
        let numbers = budget(report, names, row);
        let mut cells = vec![visible(&names.of_row(row)).into_owned()];
        cells.extend(numbers.map(|n| n.map_or_else(|| "?".to_owned(), |n| n.to_string())));
        cells
    }));
    table
}

fn as_json(
    daemon: Daemon,
    report: &anyhow::Result<Report>,
    troubles: &Troubles,
    names: &Names,
) -> Value {
    match report {
        Ok(report) => {
            let state = report.state.iter().map(|(k, v)| (k.clone(), typed(v)));
            json!({
                "daemon": daemon.name(),
                "reachable": true,
                "healthy": troubles.now.is_empty(),
                "troubles": troubles.now,
                "losses": troubles.losses,
                "state": serde_json::Map::from_iter(state),
                "ledger": report.rows.iter().map(|row| row_json(report, names, row))
                    .collect::<Vec<_>>(),
            })
        }
        Err(error) => json!({
            "daemon": daemon.name(),
            "reachable": error.is::<Denied>(),
            "healthy": false,
            "error": format!("{error:#}"),
        }),
    }
}

/// A value of the state as what it is.
fn typed(value: &str) -> Value {
    match value {
        "true" => json!(true),
        "false" => json!(false),
        _ => value.parse::<u64>().map_or_else(|_| json!(value), |number| json!(number)),
    }
}

fn row_json(report: &Report, names: &Names, row: &LedgerRow) -> Value {
    let refused = nexus_wire::REASONS.iter().zip(row.refused);
    let refused = refused.map(|((_, name), count)| ((*name).to_owned(), json!(count)));
    let [events_left, events_max, bytes_left, bytes_max] = budget(report, names, row);
    json!({
        "sender": names.of_row(row),
        "offered": row.offered,
        "accepted": row.accepted,
        "folded": row.folded,
        "refused": serde_json::Map::from_iter(refused),
        "dropped": row.dropped,
        "lost_by_client": row.lost_by_client,
        "kept": row.kept,
        "events_left": events_left,
        "events_max": events_max,
        "bytes_left": bytes_left,
        "bytes_max": bytes_max,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_daemon_is_sick_only_where_it_is_known_what_is_healthy() {
        assert!(is_sick("ready", "0") && is_sick("export_ready", "false"));
        assert!(!is_sick("ready", "1") && !is_sick("ready", "true"));
        assert!(is_sick("export_away", "true"));
        assert!(!is_sick("quarantined", "3"), "anybody can bring that about");
        assert!(!is_sick("boot", "0"));
    }

    #[test]
    fn numbers_are_numbers() {
        assert_eq!(typed("12"), json!(12));
        assert_eq!(typed("true"), json!(true));
        assert_eq!(typed("x 12"), json!("x 12"));
    }
}
