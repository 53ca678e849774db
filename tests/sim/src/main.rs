//! The large scenarios: `cargo run --release -p sim -- thirty-days` (or `device-week`,
//! `million-labels`, `million-names`, `all`).

use std::process::ExitCode;
use std::time::Instant;

use sim::cardinality::{Attack, attack};
use sim::thirty_days::{Scale, run_month};

fn main() -> ExitCode {
    let wanted = std::env::args().nth(1).unwrap_or_default();
    let scenarios: [(&str, fn()); 4] = [
        ("thirty-days", || month(&Scale::full())),
        ("device-week", || month(&Scale::device_week())),
        ("million-labels", || million(Attack::Labels)),
        ("million-names", || million(Attack::Names)),
    ];
    let chosen = scenarios.iter().filter(|(name, _)| wanted == "all" || wanted == *name);
    let mut any = false;
    for (name, scenario) in chosen {
        println!("{name}");
        scenario();
        any = true;
    }
    if any {
        return ExitCode::SUCCESS;
    }
    eprintln!("which scenario? one of:");
    scenarios.iter().for_each(|(name, _)| eprintln!("  {name}"));
    eprintln!("  all");
    ExitCode::FAILURE
}

fn month(scale: &Scale) {
    let report = run_month(scale);
    print!("{report}");
    assert_eq!(report.allocations, 0, "services take no memory while they serve");
}

fn million(kind: Attack) {
    let began = Instant::now();
    let outcome = attack(kind, 1_000_000);
    let (before, after) = outcome.memory;
    println!("series of the attacker    {} ({} overflow)", outcome.series, outcome.overflow);
    println!("items accepted            {}", outcome.row.accepted);
    println!("items folded              {}", outcome.row.folded);
    println!("allocations in services   {}", outcome.allocations);
    println!("memory at the caps        {before} B");
    println!("memory at the end         {after} B");
    println!("real time                 {:.1} s", began.elapsed().as_secs_f64());
    assert_eq!(outcome.allocations, 0, "services take no memory while they serve");
}
