//! A double of what starts programs, for tests of whoever has them started.

use nexus_abi::{ExitReason, Rights};

use crate::{Left, LoadError, Processes, Program, StartError};

/// Processes that end as soon as somebody looks.
#[derive(Debug)]
pub struct Short {
    latest: u32,
    ended: u32,
    bad: u32,
}

impl Short {
    /// Each `bad`-th one exits with 1; with 0 none does.
    #[must_use]
    pub const fn new(bad: u32) -> Self {
        Self { latest: 0, ended: 0, bad }
    }
}

impl Processes for Short {
    type Loaded = ();

    fn left(&mut self) -> Option<Left> {
        None
    }

    fn load(&mut self, _: &Program) -> Result<(), LoadError> {
        Ok(())
    }

    fn start(&mut self, (): (), _: Rights) -> Result<u32, StartError> {
        self.latest += 1;
        Ok(self.latest)
    }

    fn kill(&mut self, _: u32) {}

    fn ended(&mut self) -> Option<(u32, ExitReason)> {
        (self.ended < self.latest).then(|| {
            self.ended += 1;
            let is_bad = self.ended.checked_rem(self.bad) == Some(0);
            (self.ended, ExitReason::Exited(i32::from(is_bad)))
        })
    }

    fn recorded(&mut self) {}
}
