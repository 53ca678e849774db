//! `cargo xtask demo`: builds what the demo runs and runs it.

use std::os::unix::process::CommandExt as _;
use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};

use crate::shell;

/// What `obsctl demo` starts, and itself.
const PROGRAMS: [&str; 4] = ["logd", "metricsd", "hostprobe", "obsctl"];

/// Arguments of `demo`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// What `obsctl demo` is to be told, such as `--seconds 10`
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    rest: Vec<std::ffi::OsString>,
}

pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    let mut build = vec!["build", "--release", "--quiet"];
    build.extend(PROGRAMS.iter().flat_map(|name| ["-p", name]));
    if !shell::succeeds(&mut shell::cargo(&build)?)? {
        bail!("the demo's programs do not build");
    }
    let obsctl = shell::target_dir()?.join("release/obsctl");
    let mut demo = std::process::Command::new(&obsctl);
    // The demo takes our place: it gets the terminal and its signals.
    Err(demo.arg("demo").args(&args.rest).exec())
        .with_context(|| format!("cannot run {}", obsctl.display()))
}
