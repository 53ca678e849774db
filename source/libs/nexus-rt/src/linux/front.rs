//! The command line that the daemons share.

use std::env;
use std::ffi::OsString;
use std::fmt;
use std::fs;
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use lexopt::{Arg, Parser, ValueExt as _};
use nexus_port::Service;
use nexus_recipe::{MemoryBudget, MemoryLine, Recipe, StateRecipe};
use nexus_retention::Keep;

use super::client;
use super::daemon::{self, Config, Daemon, StateDisk};
use super::parent;

/// What makes one daemon different from another.
#[derive(Clone, Copy, Debug)]
pub struct Program {
    /// Its name, that of its socket.
    pub name: &'static str,
    /// What it is, in one line.
    pub about: &'static str,
    /// Its version.
    pub version: &'static str,
    /// The recipe that holds where no other is given.
    pub recipe: &'static str,
    /// Daemons that it calls, itself among them if it does so.
    pub callees: &'static [&'static str],
    /// Services that it always gives a socket of their own.
    pub serves: &'static [&'static str],
}

/// The service of files that a daemon hosts where it is given a folder for its state.
#[derive(Clone, Copy, Debug)]
pub struct Hosted<H> {
    /// How the daemon calls it.
    pub name: &'static str,
    /// The recipe of the disk, as that of the daemon wants it, or why there can be none.
    pub recipe: fn(&Recipe) -> Result<StateRecipe, String>,
    /// What else people should know of what is kept, line by line.
    pub explain: fn(&Recipe) -> Vec<String>,
    /// Bytes that the service takes.
    pub memory: fn(&StateRecipe) -> Result<u64, String>,
    /// Makes the service; the number counts the starts.
    pub make: fn(&StateRecipe, u32) -> Result<H, String>,
}

/// Exit code for a command line or a recipe that makes no sense.
const EXIT_USAGE: u8 = 2;

enum Command {
    Serve(Options),
    CheckConfig(Options),
    Help,
    Version,
}

struct Options {
    run_dir: PathBuf,
    config: Option<PathBuf>,
    state_dir: Option<PathBuf>,
    serve: Vec<String>,
    parent: Option<u32>,
}

/// Why nothing came of it, for people.
#[derive(Debug)]
struct Failure {
    why: String,
    code: u8,
}

impl Failure {
    fn usage(why: impl fmt::Display) -> Self {
        Self { why: why.to_string(), code: EXIT_USAGE }
    }
}

/// Does what the command line says. `memory` tells what a recipe makes the service take, `make`
/// makes the service from a recipe and the number of this start; both are told what it keeps.
/// `hosted` is the service of files below it.
pub fn main<S: Service, H: Service + Send + 'static>(
    program: &Program,
    hosted: &Hosted<H>,
    memory: impl FnOnce(&Recipe, Keep) -> MemoryBudget,
    make: impl FnOnce(&Recipe, u32, Keep) -> S,
) -> ExitCode {
    let command = parse(env::args_os());
    let done = command.and_then(|command| match command {
        Command::Help => say(&Help(program)),
        Command::Version => say(&format_args!("{} {}\n", program.name, program.version)),
        Command::CheckConfig(options) => check_config(program, options, hosted, memory),
        Command::Serve(options) => serve(program, options, hosted, memory, make),
    });
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("{}: {}", program.name, failure.why);
            ExitCode::from(failure.code)
        }
    }
}

/// Prints `text` on standard output; one that is gone is no concern of ours.
fn say(text: &dyn fmt::Display) -> Result<(), Failure> {
    drop(write!(io::stdout(), "{text}"));
    Ok(())
}

fn serve<S: Service, H: Service + Send + 'static>(
    program: &Program,
    options: Options,
    hosted: &Hosted<H>,
    memory: impl FnOnce(&Recipe, Keep) -> MemoryBudget,
    make: impl FnOnce(&Recipe, u32, Keep) -> S,
) -> Result<(), Failure> {
    if let Some(parent) = options.parent {
        parent::end_with(parent).map_err(|error| Failure { why: error.to_string(), code: 1 })?;
    }
    let recipe = read_recipe(program, options.config)?;
    let plan = Plan::of(&recipe, options.state_dir, hosted)?;
    let mut serve: Vec<_> = program.serves.iter().map(|&name| name.to_owned()).collect();
    serve.extend(options.serve);
    serve.sort();
    serve.dedup();
    let config = Config {
        name: program.name,
        run_dir: options.run_dir,
        serve,
        callees: program.callees,
        limits: recipe.port.clone(),
        senders: recipe.senders.clone(),
        state: plan.disk.clone(),
    };
    let failed = |error: io::Error| Failure { why: error.to_string(), code: 1 };
    let mut daemon = Daemon::open(&config).map_err(failed)?;
    // All that it will ever take, before it takes it; a console that is gone stops nobody.
    drop(writeln!(io::stderr(), "{}", plan.budget(&recipe, memory).summary()));
    if let Some(state) = &plan.recipe {
        let files = (hosted.make)(state, daemon.boot()).map_err(Failure::usage)?;
        daemon.host(hosted.name, files, |image| image).map_err(failed)?;
    }
    let service = make(&recipe, daemon.boot(), plan.keep());
    drop((recipe, config, plan));
    daemon.run(service).map_err(failed)
}

/// What is kept, and where.
struct Plan {
    disk: Option<StateDisk>,
    recipe: Option<StateRecipe>,
    /// Bytes of the service of files.
    memory: u64,
}

impl Plan {
    fn of<H>(recipe: &Recipe, dir: Option<PathBuf>, hosted: &Hosted<H>) -> Result<Self, Failure> {
        let Some(dir) = dir else { return Ok(Self { disk: None, recipe: None, memory: 0 }) };
        let state = (hosted.recipe)(recipe).map_err(Failure::usage)?;
        let memory = (hosted.memory)(&state).map_err(Failure::usage)?;
        let disk = StateDisk { dir, bytes: state.statefsd.disk_bytes };
        Ok(Self { disk: Some(disk), recipe: Some(state), memory })
    }

    const fn keep(&self) -> Keep {
        if self.disk.is_some() { Keep::Files } else { Keep::Nothing }
    }

    /// The memory of a daemon: its service's, its port's, and what it hosts.
    fn budget(
        &self,
        recipe: &Recipe,
        memory: impl FnOnce(&Recipe, Keep) -> MemoryBudget,
    ) -> MemoryBudget {
        let mut budget = memory(recipe, self.keep());
        budget.lines.extend(daemon::memory(&recipe.port));
        if self.disk.is_some() {
            let files = MemoryLine { what: "state disk", count: 1, bytes_each: self.memory };
            budget.lines.push(files);
            budget.lines.extend(daemon::disk_memory());
        }
        budget
    }
}

fn check_config<H>(
    program: &Program,
    options: Options,
    hosted: &Hosted<H>,
    memory: impl FnOnce(&Recipe, Keep) -> MemoryBudget,
) -> Result<(), Failure> {
    let recipe = read_recipe(program, options.config)?;
    let failed = |error: io::Error| Failure::usage(error);
    daemon::check(&recipe.port).map_err(failed)?;
    let plan = Plan::of(&recipe, options.state_dir, hosted)?;
    say(&plan.budget(&recipe, memory))?;
    let Some(disk) = &plan.disk else { return Ok(()) };
    for line in (hosted.explain)(&recipe) {
        say(&format_args!("{:<9} {line}\n", program.name))?;
    }
    say(&format_args!("{:<9} image of {} B\n", program.name, disk.bytes))
}

fn read_recipe(program: &Program, file: Option<PathBuf>) -> Result<Recipe, Failure> {
    let Some(file) = file else {
        return Recipe::parse(program.recipe).map_err(Failure::usage);
    };
    let failed = |why: &dyn fmt::Display| Failure::usage(format_args!("{}: {why}", file.display()));
    let text = fs::read_to_string(&file).map_err(|error| failed(&error))?;
    Recipe::parse(&text).map_err(|errors| Failure::usage(errors.in_file(file.display())))
}

fn parse(args: impl IntoIterator<Item = OsString>) -> Result<Command, Failure> {
    let (run_dir, serve) = (client::run_dir(), Vec::new());
    let mut options = Options { run_dir, config: None, state_dir: None, serve, parent: None };
    let mut check = false;
    let mut parser = Parser::from_iter(args);
    while let Some(arg) = parser.next().map_err(Failure::usage)? {
        match arg {
            Arg::Long("run-dir") => options.run_dir = value(&mut parser)?.into(),
            Arg::Long("config") => options.config = Some(value(&mut parser)?.into()),
            Arg::Long("state-dir") => options.state_dir = Some(value(&mut parser)?.into()),
            Arg::Long("serve") => {
                options.serve.push(value(&mut parser)?.string().map_err(Failure::usage)?);
            }
            Arg::Long("parent") => {
                options.parent = Some(value(&mut parser)?.parse().map_err(Failure::usage)?);
            }
            Arg::Long("check-config") => check = true,
            Arg::Short('h') | Arg::Long("help") => return Ok(Command::Help),
            Arg::Short('V') | Arg::Long("version") => return Ok(Command::Version),
            // `--check-config FILE` is short for `--check-config --config FILE`.
            Arg::Value(file) if check && options.config.is_none() => {
                options.config = Some(file.into());
            }
            other => return Err(refusal(&other)),
        }
    }
    Ok(if check { Command::CheckConfig(options) } else { Command::Serve(options) })
}

fn value(parser: &mut Parser) -> Result<OsString, Failure> {
    parser.value().map_err(Failure::usage)
}

fn refusal(arg: &Arg<'_>) -> Failure {
    match arg {
        Arg::Long(name) => Failure::usage(format_args!("--{name}: no such option; see --help")),
        Arg::Short(name) => Failure::usage(format_args!("-{name}: no such option; see --help")),
        Arg::Value(value) => {
            let value = value.display();
            Failure::usage(format_args!("{value}: takes no such argument; see --help"))
        }
    }
}

struct Help<'a>(&'a Program);

impl fmt::Display for Help<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Program { name, about, .. } = self.0;
        write!(
            f,
            "{name} - {about}

usage: {name} [--run-dir DIR] [--state-dir DIR] [--config FILE] [--serve NAME]... [--parent PID]
       {name} --check-config [FILE] [--state-dir DIR]

  --run-dir DIR   where {name}.sock lies; default: $NEXUS_RUN_DIR, else /run/nexus
  --state-dir DIR keeps what shall outlive it in DIR/{name}.img, for this user alone (0700);
                  default: nothing is kept
  --config FILE   the recipe with all limits; default: the one built in
  --serve NAME    gives the service NAME a socket of its own, DIR/svc/NAME/{name}.sock;
                  whoever may enter that folder speaks as NAME; may be given again
  --parent PID    ends when PID does, the process that started it
  --check-config  checks the recipe, prints the memory that follows from it, and ends
  --help, --version

SIGTERM and SIGINT end it in good order, within 5 s. What cannot be done by then is said; if that is
because another daemon or the disk does not answer, the exit status is 1.
"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(args: &[&str]) -> Result<Command, Failure> {
        parse(["echod"].iter().chain(args).map(OsString::from))
    }

    fn refused(args: &[&str]) -> String {
        parsed(args).err().map(|failure| failure.why).unwrap_or_default()
    }

    #[test]
    fn options_say_where_and_for_whom() {
        let args =
            ["--run-dir", "/d", "--serve", "a", "--serve=b", "--config", "/c", "--state-dir", "/s"];
        let Ok(Command::Serve(options)) = parsed(&args) else { panic!("these options serve") };
        assert_eq!(options.run_dir, PathBuf::from("/d"));
        assert_eq!(options.config, Some(PathBuf::from("/c")));
        assert_eq!(options.state_dir, Some(PathBuf::from("/s")));
        assert_eq!(options.serve, ["a", "b"]);
    }

    #[test]
    fn a_recipe_is_checked_with_or_without_its_option() {
        for args in [["--check-config", "/c"].as_slice(), &["--config", "/c", "--check-config"]] {
            let Ok(Command::CheckConfig(options)) = parsed(args) else { panic!("{args:?}") };
            assert_eq!(options.config, Some(PathBuf::from("/c")));
        }
    }

    #[test]
    fn what_is_not_known_is_refused_with_its_name() {
        assert_eq!(refused(&["--colour"]), "--colour: no such option; see --help");
        assert_eq!(refused(&["-x"]), "-x: no such option; see --help");
        assert_eq!(refused(&["extra"]), "extra: takes no such argument; see --help");
        assert!(refused(&["--run-dir"]).contains("--run-dir"));
    }
}
