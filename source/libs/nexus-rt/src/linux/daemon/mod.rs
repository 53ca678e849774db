//! Runs a service as a daemon behind `SOCK_SEQPACKET` sockets.
//!
//! One thread, one loop, and where there is a state disk one thread more, which waits for it. All
//! memory is taken before it serves; afterwards connections come and go without an allocation. What
//! is bounded and how:
//!
//! * Connections in all and of each sender. Whoever comes when all places are taken gets the place
//!   of the idlest connection of the sender that holds most; nobody is locked out.
//! * Frames taken from a connection before the next one's turn.
//! * Answers that wait for their connections to read, in all. A connection with a waiting answer is
//!   not read further and is cut off after a time.
//! * Under load that only wants acknowledgements the loop sleeps a few milliseconds between two
//!   drains, instead of waking for every frame. When nothing happens it waits without a timer.
//!
//! A packet longer than a frame reaches the service as an empty frame: so it is refused, counted
//! and answered like any other malformed one, in its turn.
//!
//! Invariants: a sender's stamp is made from the kernel's word alone; one life per connection, told
//! to the service when it ends; every loss has a counter ([`nexus_port::World::port_status`]).
//!
//! Deliberately absent: threads that share a service, name services, and sockets of any other
//! family than `AF_UNIX`.

mod boot;
mod calls;
mod counters;
mod disk;
mod ending;
mod event_loop;
mod identity;
mod notify;
mod outbox;
mod poller;
mod port;
mod run_dir;
mod senders;
mod signals;

use std::fmt;
use std::io;
use std::path::PathBuf;

use nexus_port::{BlockDevice, Service};
use nexus_recipe::{MemoryLine, PortLimits, SenderRule};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use self::disk::Disk;
pub use self::disk::Image;
use self::ending::{Ended, STOP_PATIENCE};
use self::event_loop::{EventLoop, Left};
use self::identity::{Identity, is_service_name};
use self::port::Port;
use self::run_dir::{Listener, RunDir};
use self::signals::Signals;

/// What a daemon has to know of its surroundings.
#[derive(Clone, Debug)]
pub struct Config {
    /// The daemon's name: `logd` makes `DIR/logd.sock`.
    pub name: &'static str,
    /// The run directory; made if it is missing.
    pub run_dir: PathBuf,
    /// Services that get a socket of their own.
    pub serve: Vec<String>,
    /// Daemons that this one may call, itself among them if it does so.
    pub callees: &'static [&'static str],
    /// Limits of the port.
    pub limits: PortLimits,
    /// Services known by name, for their users.
    pub senders: Box<[SenderRule]>,
    /// Where it keeps what shall outlive it, if it does.
    pub state: Option<StateDisk>,
}

/// The state disk of a daemon.
#[derive(Clone, Debug)]
pub struct StateDisk {
    /// The folder in which `<daemon>.img` lies, 0700; made if it is missing.
    pub dir: PathBuf,
    /// Bytes of the image, whole sectors of [`nexus_port::SECTOR_BYTES`].
    pub bytes: u32,
}

/// Descriptors beside connections: sockets to listen on, calls, signals, console, files.
const DESCRIPTORS_BESIDE: u64 = 64;

/// Lets the process have a descriptor for every connection, as far as it may. With fewer it runs
/// all the same and lets newcomers wait.
fn allow_descriptors(config: &Config) {
    let wanted = u64::from(config.limits.connections) + DESCRIPTORS_BESIDE;
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let allowed = maximum.map_or(wanted, |maximum| maximum.min(wanted));
    let raised = current.is_none_or(|current| current >= allowed)
        || setrlimit(Resource::Nofile, Rlimit { current: Some(allowed), maximum }).is_ok();
    if !raised || allowed < wanted {
        let name = config.name;
        eprintln!("{name}: allowed fewer descriptors than the {wanted} its recipe may need");
    }
}

/// What a port of these limits takes for itself when it starts, beside its service.
#[must_use]
pub fn memory(limits: &PortLimits) -> Vec<MemoryLine> {
    port::memory(limits)
}

/// What a disk thread takes for itself, beside the service that it runs.
#[must_use]
pub fn disk_memory() -> Vec<MemoryLine> {
    disk::memory()
}

/// Whether this machine has what the limits name, as far as that can be told without serving.
///
/// # Errors
/// There is no such group of readers.
pub fn check(limits: &PortLimits) -> io::Result<()> {
    limits.readers_group.as_deref().map(run_dir::group).transpose().map(drop)
}

/// A daemon that listens and does not serve yet. What comes in meanwhile waits.
pub struct Daemon {
    port: Port,
    signals: Signals,
    listeners: Box<[Listener]>,
    boot: u32,
    run_dir: RunDir,
    image: Option<Image>,
}

impl Daemon {
    /// Takes the run directory and the image of the state disk, opens the sockets, and counts the
    /// start.
    ///
    /// # Errors
    /// What was wrong, with its path: another daemon serves or writes there, a folder that
    /// everybody may write to, one of state that others may enter, an illegal name to serve, no
    /// such group, a damaged file of the boot number, or whatever the system says.
    pub fn open(config: &Config) -> io::Result<Self> {
        if let Some(name) = config.serve.iter().find(|name| !is_service_name(name)) {
            let why = format!("\"{name}\" cannot be served: names are 1 to 48 of a-z 0-9 _ . -");
            return Err(io::Error::new(io::ErrorKind::InvalidInput, why));
        }
        allow_descriptors(config);
        let readers = config.limits.readers_group.as_deref().map(run_dir::group).transpose()?;
        let run_dir = RunDir::claim(&config.run_dir, config.name)?;
        let state = config.state.as_ref();
        let image = state.map(|state| Image::open(&state.dir, config.name, state.bytes));
        let mut image = image.transpose()?;
        // The run directory may be as old as the machine's last start, and what is kept is older.
        let last = image.as_ref().map_or(0, Image::last_start);
        let boot = boot::count_start(&run_dir.path(&format!("{}.boot", config.name)), last)?;
        image.iter_mut().for_each(|image| image.count_start(boot));
        let own_user = rustix::process::geteuid().as_raw();
        let identity = Identity::new(&config.senders, own_user, readers);
        let port = Port::new(config, identity)?;
        // Before anybody can see that we are there: who sees it may end us, and then in good order.
        let signals = Signals::new()?;
        let mut listeners = Vec::new();
        for name in &config.serve {
            let rule = config.senders.iter().find(|rule| rule.name == *name);
            listeners.push(run_dir.listen_for(name, rule.and_then(|rule| rule.uid))?);
        }
        // The main one last: whoever finds it finds its own one as well, and does not come in as
        // somebody else because ours was not there yet.
        listeners.push(run_dir.listen()?);
        let listeners = listeners.into_boxed_slice();
        Ok(Self { port, signals, listeners, boot, run_dir, image })
    }

    /// The number of this start, from 1, counted in `<name>.boot` in the run directory and in the
    /// folder of state.
    #[must_use]
    pub const fn boot(&self) -> u32 {
        self.boot
    }

    /// Runs `hosted` on a disk thread, over what `device` makes of the image; from now on the
    /// service that will be served may call it as `name`. It is told to stop when that service has
    /// stopped, within the same 5 seconds. Without a state disk nothing happens.
    ///
    /// # Errors
    /// What the system says to a thread.
    pub fn host<H, D>(
        &mut self,
        name: &str,
        hosted: H,
        device: impl FnOnce(Image) -> D,
    ) -> io::Result<()>
    where
        H: Service + Send + 'static,
        D: BlockDevice + Send + 'static,
    {
        let Some(image) = self.image.take() else { return Ok(()) };
        signals::outlive_file_limits()?;
        let daemon = self.run_dir.daemon();
        let disk = Disk::start(daemon, name, hosted, device(image), &self.port.poller)?;
        self.port.disk = Some(disk);
        Ok(())
    }

    /// Serves until SIGTERM or SIGINT; then takes in what has been sent, gives the service
    /// [`nexus_port::Event::Stop`], and goes on until it is done, for 5 seconds at most. The
    /// sockets are gone afterwards. What the service leaves undone is said on the console.
    ///
    /// # Errors
    /// What makes serving impossible; `TimedOut` if the service was not done in those 5 seconds,
    /// with what it leaves undone.
    pub fn run(self, service: impl Service) -> io::Result<()> {
        let Self { port, signals, listeners, run_dir, .. } = self;
        let name = run_dir.daemon().to_owned();
        let ended = EventLoop::new(service, port, signals, listeners)?.run();
        drop(run_dir);
        let (ended, left) = ended?;
        match (ended, left.to_string()) {
            (Ended::Done, undone) if undone.is_empty() => Ok(()),
            (Ended::Done, undone) => {
                eprintln!("{name}: ended with {undone}");
                Ok(())
            }
            (Ended::OutOfPatience, undone) => {
                let seconds = STOP_PATIENCE.0 / 1_000_000_000;
                let why = format!("was not done {seconds} s after it was to end, with {undone}");
                Err(io::Error::new(io::ErrorKind::TimedOut, why))
            }
        }
    }
}

/// What is left undone, in words.
impl<S: Service> fmt::Display for Left<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut undone = String::new();
        self.service.undone(&mut undone)?;
        f.write_str(&undone)?;
        if self.is_all_kept {
            return Ok(());
        }
        let and = if undone.is_empty() { "" } else { " and " };
        write!(f, "{and}files that are not on the state disk yet")
    }
}
