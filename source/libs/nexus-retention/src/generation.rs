//! Generations: what is kept lies below `g<n>/`. A service that is told to set aside what it has
//! begins the next one; one older generation stays, for people to look at.

use core::fmt::{self, Write as _};

use nexus_bounded::{Mono, Text};
use nexus_port::World;
use nexus_wire::FILE_NAME_BYTES_MAX;
use nexus_wire::files::{FileName, FilePrefix, List, ListReply, Reply, Request, Target};

use crate::files::{Failure, Files};

/// A name, or how names begin.
pub(crate) type Name = Text<FILE_NAME_BYTES_MAX>;

/// How the names of all generations begin.
const FIRST_LETTER: &str = "g";

/// One of them, from 1.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Generation(u32);

impl Generation {
    /// The first.
    pub const FIRST: Self = Self(1);

    /// Its number.
    #[must_use]
    pub const fn number(self) -> u32 {
        self.0
    }

    /// The one that a file belongs to.
    #[must_use]
    pub fn of(name: &str) -> Option<Self> {
        let (digits, _) = name.strip_prefix(FIRST_LETTER)?.split_once('/')?;
        let number = digits.parse().ok().filter(|number| *number > 0)?;
        (!digits.starts_with(['0', '+'])).then_some(Self(number))
    }

    const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

/// How its files' names begin.
impl fmt::Display for Generation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{FIRST_LETTER}{}/", self.0)
    }
}

/// `text` written out; it must fit.
pub(crate) fn name_of(text: fmt::Arguments<'_>) -> Name {
    let mut name = Name::EMPTY;
    let fits = name.write_fmt(text).is_ok();
    assert!(fits, "our own names are short");
    name
}

/// The name as frames carry it. Ours are legal: whoever gets an error has a bug, not a disk.
pub(crate) fn file_name(name: &Name) -> Result<FileName<'_>, Failure> {
    FileName::new(name.as_str()).ok_or(Failure::Garbled)
}

/// The same of how names begin.
pub(crate) fn file_prefix(name: &Name) -> Result<FilePrefix<'_>, Failure> {
    FilePrefix::new(name.as_str()).ok_or(Failure::Garbled)
}

/// Which generation it is, and what is left of others.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Settled {
    /// The one to be used. There may be nothing in it.
    pub current: Generation,
    /// The one before, if there are still files of it.
    pub older: Option<Generation>,
}

/// What is being done.
#[derive(Clone, Copy, Debug)]
enum Step {
    /// Looking which generations there are.
    Look,
    /// Looking for a file that is in none of the two that stay.
    Sweep(Settled),
    /// Deleting it.
    Delete(Settled),
    /// Asking which store this is.
    Greet(Settled),
    /// Making the deletions durable: until then they free nothing.
    Sync(Settled, u64),
    Done(Settled),
}

/// Finds out which generation to use, and deletes all but the one before it.
#[derive(Debug)]
pub struct Settling {
    sets_aside: bool,
    step: Step,
    /// The two highest generations so far.
    highest: [Option<Generation>; 2],
    /// The last name looked at, or the file to be deleted.
    name: Name,
    deleted: u32,
}

impl Settling {
    /// `sets_aside`: what there is shall not be used.
    #[must_use]
    pub const fn new(sets_aside: bool) -> Self {
        Self { sets_aside, step: Step::Look, highest: [None; 2], name: Name::EMPTY, deleted: 0 }
    }

    /// Deletes all but `current`: what was set aside has no room beside it.
    pub(crate) const fn dropping(current: Generation) -> Self {
        let step = Step::Sweep(Settled { current, older: None });
        Self { step, ..Self::new(false) }
    }

    /// Files that were deleted.
    pub(crate) const fn deleted(&self) -> u32 {
        self.deleted
    }

    /// What has come out, once it has.
    #[must_use]
    pub const fn settled(&self) -> Option<Settled> {
        match self.step {
            Step::Done(settled) => Some(settled),
            _ => None,
        }
    }

    /// Makes the next call on a lane on which nothing is under way; none once it is settled.
    ///
    /// # Errors
    /// See [`Files::begin`]: try again later.
    pub fn begin(
        &mut self,
        files: &mut Files,
        now: Mono,
        world: &mut impl World,
    ) -> Result<(), Failure> {
        let request = match self.step {
            Step::Done(_) => return Ok(()),
            Step::Greet(_) => Request::Hello,
            Step::Sync(_, epoch) => Request::Sync { epoch },
            Step::Delete(_) => {
                Request::Delete(Target { name: file_name(&self.name)?, draft: false })
            }
            Step::Look | Step::Sweep(_) => {
                let prefix = FilePrefix::new(FIRST_LETTER).ok_or(Failure::Garbled)?;
                Request::List(List { prefix, after: file_prefix(&self.name)? })
            }
        };
        files.begin(&request, now, world)
    }

    /// Takes the end of its call.
    ///
    /// # Errors
    /// What has failed, to be tried again later.
    pub fn ended(&mut self, outcome: Result<Reply<'_>, Failure>) -> Result<(), Failure> {
        match (self.step, outcome) {
            (Step::Sync(settled, _), Err(failure)) => {
                // The deletions may be undone.
                self.step = Step::Sweep(settled);
                return Err(failure);
            }
            (_, Err(failure)) => return Err(failure),
            (_, Ok(reply)) => self.take(reply)?,
        }
        Ok(())
    }

    fn take(&mut self, reply: Reply<'_>) -> Result<(), Failure> {
        match (self.step, reply) {
            (Step::Look, Reply::List(list)) => self.look(&list),
            (Step::Sweep(settled), Reply::List(list)) => self.sweep(settled, &list),
            (Step::Delete(settled), _) => {
                self.deleted += 1;
                self.step = Step::Sweep(settled);
            }
            (Step::Greet(settled), Reply::Hello(hello)) => {
                self.step = Step::Sync(settled, hello.epoch);
            }
            (Step::Sync(settled, _), _) => self.step = Step::Done(settled),
            _ => return Err(Failure::Garbled),
        }
        Ok(())
    }

    fn look(&mut self, list: &ListReply<'_>) {
        for file in list.files() {
            self.note(Generation::of(file.name.as_str()));
            self.name = name_of(format_args!("{}", file.name.as_str()));
        }
        if !list.more {
            self.name = Name::EMPTY;
            self.step = Step::Sweep(self.settle());
        }
    }

    fn note(&mut self, generation: Option<Generation>) {
        let [first, second] = self.highest;
        if generation > first {
            self.highest = [generation, first];
        } else if generation != first {
            self.highest = [first, second.max(generation)];
        }
    }

    fn settle(&self) -> Settled {
        match self.highest {
            [Some(newest), _] if self.sets_aside => {
                Settled { current: newest.next(), older: Some(newest) }
            }
            [newest, older] => Settled { current: newest.unwrap_or(Generation::FIRST), older },
        }
    }

    /// Looks for the first file that goes.
    fn sweep(&mut self, settled: Settled, list: &ListReply<'_>) {
        let Settled { current, older } = settled;
        for file in list.files() {
            let generation = Generation::of(file.name.as_str());
            self.name = name_of(format_args!("{}", file.name.as_str()));
            if generation.is_some() && generation != Some(current) && generation != older {
                self.step = Step::Delete(settled);
                return;
            }
        }
        if !list.more {
            self.name = Name::EMPTY;
            self.step = if self.deleted > 0 { Step::Greet(settled) } else { Step::Done(settled) };
        }
    }
}
