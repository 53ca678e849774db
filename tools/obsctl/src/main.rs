//! `obsctl`: what people type to see what happened on a machine.
//!
//! It reads the journal from logd and live values from metricsd over their sockets, in the frames
//! of `docs/wire.md` and with the rights of whoever runs it. Text is for people and may change;
//! `-o json` prints one object a line and keeps its keys.
//!
//! Texts of senders are shown with what could steer a terminal escaped (`render`). `--help` says
//! what each exit status means.
#![forbid(unsafe_code)]

mod audit;
mod cli;
mod clock;
mod correlate;
mod daemons;
mod demo;
mod disk;
mod emit;
mod helps;
mod history;
mod logs;
mod metrics;
mod names;
mod picture;
mod quantile;
mod reader;
mod render;
mod run;
mod spans;
mod spark;
mod status;
mod top;
mod trace;
mod view;

use std::io::Write as _;
use std::process::ExitCode;

use clap::{CommandFactory as _, Parser as _};

use crate::cli::{Cli, Command};

/// How a command ended that could be carried out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Verdict {
    /// All is well.
    Fine,
    /// Something is wrong with what was looked at, or was lost.
    Wrong,
    /// What was looked at does not work now.
    Broken,
    /// A child's own exit code.
    Code(u8),
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    match dispatch(&cli) {
        Ok(Verdict::Fine) => ExitCode::SUCCESS,
        Ok(Verdict::Wrong) => ExitCode::from(1),
        Ok(Verdict::Broken) => ExitCode::from(2),
        Ok(Verdict::Code(code)) => ExitCode::from(code),
        // Whoever reads us has read enough.
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            // A terminal that is gone cannot be told.
            let text = render::visible_lines(&format!("{error:#}"));
            drop(writeln!(std::io::stderr(), "obsctl: {text}"));
            ExitCode::from(2)
        }
    }
}

fn dispatch(cli: &Cli) -> anyhow::Result<Verdict> {
    let place = &cli.place;
    if !cli.command.reads_what_is_kept() {
        place.must_be_running()?;
    }
    match &cli.command {
        Command::Demo(args) => demo::run(place, args),
        Command::Logs(args) => logs::run(place, args),
        Command::Metrics(args) => metrics::run(place, args),
        Command::History(args) => history::run(place, args),
        Command::Spans(args) => spans::run(place, args),
        Command::Top(args) => top::run(place, args),
        Command::Audit(args) => audit::run(place, args.output),
        Command::Status(args) => status::run(place, args),
        Command::Log(args) => emit::log(place, args),
        Command::Count(args) => emit::count(place, args),
        Command::Run(args) => run::run(place, args),
        Command::Fsck(args) => disk::fsck(place, args),
        Command::Completions { shell } => {
            let mut command = Cli::command();
            let mut script = Vec::new();
            clap_complete::generate(*shell, &mut command, "obsctl", &mut script);
            std::io::stdout().write_all(&script)?;
            Ok(Verdict::Fine)
        }
    }
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error
        .downcast_ref::<std::io::Error>()
        .is_some_and(|error| error.kind() == std::io::ErrorKind::BrokenPipe)
}
