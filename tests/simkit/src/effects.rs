use nexus_abi::ServiceId;
use nexus_port::{BLOCKS_MAX, BlockRequest, CallId, SubmitError, Token, World};

use crate::fabric::Fabric;
use crate::requests::Back;

/// What a service can have done in the simulated world.
pub(crate) struct Effects<'w> {
    pub(crate) fabric: &'w mut Fabric,
    /// Number of the process it is done for.
    pub(crate) me: usize,
}

impl World for Effects<'_> {
    fn reply(&mut self, token: Token, frame: &[u8]) {
        self.fabric.answer(self.me, token, frame, false);
    }

    fn acknowledge(&mut self, token: Token, frame: &[u8]) {
        self.fabric.answer(self.me, token, frame, true);
    }

    fn submit(&mut self, to: ServiceId, call: CallId, frame: &[u8]) -> Result<(), SubmitError> {
        self.fabric.submit(self.me, to, Back::Call(call), frame)
    }

    fn submit_block(&mut self, call: CallId, request: BlockRequest<'_>) -> Result<(), SubmitError> {
        let drive = self.fabric.ports[self.me].drive.as_mut().ok_or(SubmitError::NotReady)?;
        if drive.load() >= BLOCKS_MAX {
            return Err(SubmitError::Busy);
        }
        drive.ask(call, request);
        Ok(())
    }

    fn print(&mut self, line: &str) {
        self.fabric.print(self.me, line);
    }
}
