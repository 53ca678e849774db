use std::collections::VecDeque;

use nexus_port::{
    BLOCK_SECTORS_MAX, BlockDevice, BlockError, BlockOutcome, BlockRequest, CallId, SECTOR_BYTES,
};

use crate::Disk;

/// A disk that completes what it is asked for later, and the requests that wait for it.
pub(crate) struct Drive {
    pub(crate) disk: Disk,
    /// What it has done, in order; not yet told.
    under_way: VecDeque<(CallId, Done)>,
}

/// What became of a request, with its bytes.
#[derive(Debug)]
pub(crate) struct Done(Result<Option<Vec<u8>>, BlockError>);

impl Done {
    pub(crate) fn outcome(&self) -> BlockOutcome<'_> {
        match &self.0 {
            Ok(None) => BlockOutcome::Done,
            Ok(Some(bytes)) => BlockOutcome::Read(bytes),
            Err(error) => BlockOutcome::Failed(*error),
        }
    }

    pub(crate) fn read(&self) -> &[u8] {
        self.0.as_ref().ok().and_then(Option::as_deref).unwrap_or_default()
    }
}

impl Drive {
    pub(crate) const fn new(disk: Disk) -> Self {
        Self { disk, under_way: VecDeque::new() }
    }

    /// Requests under way.
    pub(crate) fn load(&self) -> usize {
        self.under_way.len()
    }

    /// The disk does it now; the asker hears of it later.
    pub(crate) fn ask(&mut self, call: CallId, request: BlockRequest<'_>) {
        let sectors = match request {
            BlockRequest::Read { sectors, .. } => sectors,
            BlockRequest::Write { bytes, .. } => (bytes.len() / SECTOR_BYTES) as u32,
            BlockRequest::Flush => 1,
        };
        assert!((1..=BLOCK_SECTORS_MAX).contains(&sectors), "a request of {sectors} sectors");
        let done = match self.disk.carry_out(request) {
            BlockOutcome::Done => Ok(None),
            BlockOutcome::Read(bytes) => Ok(Some(bytes.to_vec())),
            BlockOutcome::Failed(error) => Err(error),
        };
        self.under_way.push_back((call, Done(done)));
    }

    /// The `at`-th of the requests under way has ended.
    pub(crate) fn end(&mut self, at: usize) -> Option<(CallId, Done)> {
        self.under_way.remove(at)
    }

    /// Whoever asked is gone; what the disk has done it has done.
    pub(crate) fn forget(&mut self) {
        self.under_way.clear();
    }
}
