//! Looks for damage. Reads only, so that it can look at what must not be touched.

use core::fmt;

use nexus_port::{BlockDevice, BlockOutcome};

use crate::blocking::{Error, look, read_format, read_sector};
use crate::{Entry, Fault, Format, FormatError, Found, Name, Recovery, State, Store, Twin};

/// Something that is not as it should be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Finding {
    /// One copy of the superblock is damaged; the other one serves.
    Superblock(Twin),
    /// The device ends before the store does.
    CutShort {
        /// Sectors of the device.
        device: u32,
        /// Sectors of the store.
        store: u32,
    },
    /// A sync was under way when the store was last used. That is no damage.
    Torn,
    /// Pages of the journal of which one copy is damaged, or was not written when power was cut;
    /// the other one serves, and the next sync writes them anew.
    Single {
        /// How many.
        pages: u32,
    },
    /// Syncs are lost that had been durable: files are as they were before.
    Lost {
        /// The last sync that is left.
        sync: u64,
    },
    /// The journal cannot be read: all files are lost.
    Unmountable(Fault),
    /// Bytes of a file are lost.
    Damaged {
        /// The file.
        name: Name,
        /// The first of them.
        offset: u32,
        /// How many.
        len: u32,
        /// The sector that held them.
        sector: u32,
    },
}

impl Finding {
    /// Whether something is lost that was durable. All else still has a whole copy, is mended by
    /// the next sync, or was never durable.
    #[must_use]
    pub const fn is_loss(&self) -> bool {
        match self {
            Self::Superblock(_) | Self::Torn | Self::Single { .. } => false,
            Self::CutShort { .. }
            | Self::Lost { .. }
            | Self::Unmountable(_)
            | Self::Damaged { .. } => true,
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Superblock(Twin::Front) => f.write_str("the superblock at the front is damaged"),
            Self::Superblock(Twin::Back) => f.write_str("the superblock at the back is damaged"),
            Self::CutShort { device, store } => {
                write!(f, "the device ends after {device} of {store} sectors")
            }
            Self::Torn => f.write_str("a sync was under way when it was last used"),
            Self::Single { pages } => {
                write!(f, "{pages} pages of the journal have one whole copy of two")
            }
            Self::Lost { sync } => {
                write!(f, "syncs that had been durable are lost: files are as of sync {sync}")
            }
            Self::Unmountable(fault) => write!(f, "it cannot be mounted: {fault}"),
            Self::Damaged { name, offset, len, sector } => write!(
                f,
                "{name}: {len} bytes from byte {offset} on are lost: sector {sector} is damaged"
            ),
        }
    }
}

/// What was looked at, and what was found.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Report {
    /// Files.
    pub files: u32,
    /// Their bytes.
    pub bytes: u64,
    /// Of them, those that are lost.
    pub lost_bytes: u64,
    /// Findings that are no losses; see [`Finding::is_loss`].
    pub flaws: u32,
    /// Findings that are.
    pub losses: u32,
}

impl Report {
    /// Whether nothing was found at all.
    #[must_use]
    pub const fn is_clean(&self) -> bool {
        self.flaws == 0 && self.losses == 0
    }

    /// Whether all that was durable is there.
    #[must_use]
    pub const fn is_whole(&self) -> bool {
        self.losses == 0
    }
}

/// Reads everything that a store needs and tells whatever is wrong. Memory as of [`Store::new`].
///
/// # Errors
/// [`FormatError`] if the device holds no store that we know.
pub fn fsck(
    device: &mut impl BlockDevice,
    mut tell: impl FnMut(Finding),
) -> Result<Report, FormatError> {
    let format = match read_format(device) {
        Ok(format) => format,
        Err(Error::Format(error)) => return Err(error),
        Err(_) => return Err(FormatError::Damaged),
    };
    let mut check = Check { report: Report::default(), tell: &mut tell };
    check.superblocks(device, &format);
    let mut store = Store::new(format, &[]);
    store.mount();
    look(&mut store, device);
    if let State::Failed(fault) = store.state() {
        check.found(Finding::Unmountable(fault));
        return Ok(check.report);
    }
    check.recovery(store.recovery());
    for entry in store.list("") {
        check.file(&store, device, &entry);
    }
    Ok(check.report)
}

struct Check<'a> {
    report: Report,
    tell: &'a mut dyn FnMut(Finding),
}

impl Check<'_> {
    fn found(&mut self, finding: Finding) {
        let count =
            if finding.is_loss() { &mut self.report.losses } else { &mut self.report.flaws };
        *count += 1;
        (self.tell)(finding);
    }

    fn superblocks(&mut self, device: &mut impl BlockDevice, format: &Format) {
        for twin in [Twin::Front, Twin::Back] {
            let sector = read_sector(device, format.superblock(twin));
            if Format::decode(&sector) != Ok(*format) {
                self.found(Finding::Superblock(twin));
            }
        }
        let (device, store) = (device.sectors(), format.limits().sectors);
        if device < store {
            self.found(Finding::CutShort { device, store });
        }
    }

    fn recovery(&mut self, recovery: &Recovery) {
        if recovery.is_torn && !recovery.is_lost {
            self.found(Finding::Torn);
        }
        if recovery.single > 0 {
            self.found(Finding::Single { pages: recovery.single });
        }
        if recovery.is_lost {
            self.found(Finding::Lost { sync: recovery.sync });
        }
    }

    fn file(&mut self, store: &Store, device: &mut impl BlockDevice, entry: &Entry) {
        self.report.files += 1;
        self.report.bytes += u64::from(entry.len);
        let mut offset = 0;
        while offset < entry.len {
            offset += match store.locate(entry.file, offset, entry.len) {
                Ok(Found::Memory(bytes)) => bytes.len() as u32,
                Ok(Found::Disk(span)) => {
                    match device.carry_out(span.request()) {
                        BlockOutcome::Read(bytes) => self.pieces(entry, offset, &span, bytes),
                        _ => self.sectors(device, entry, offset, &span),
                    }
                    span.len() as u32
                }
                Ok(Found::End) | Err(_) => return,
            };
        }
    }

    fn pieces(&mut self, entry: &Entry, offset: u32, span: &crate::Span, bytes: &[u8]) {
        let mut at = offset;
        for piece in span.pieces(bytes) {
            at += match piece {
                Ok(bytes) => bytes.len() as u32,
                Err(damaged) => {
                    let len = damaged.len as u32;
                    let (name, sector) = (entry.name, damaged.sector);
                    self.report.lost_bytes += u64::from(len);
                    self.found(Finding::Damaged { name, offset: at, len, sector });
                    len
                }
            };
        }
    }

    /// As [`Self::pieces`], where the device does not read all sectors at once.
    fn sectors(
        &mut self,
        device: &mut impl BlockDevice,
        entry: &Entry,
        offset: u32,
        span: &crate::Span,
    ) {
        let mut at = offset;
        for single in span.singles() {
            let bytes = read_sector(device, single.sector());
            self.pieces(entry, at, &single, &bytes);
            at += single.len() as u32;
        }
    }
}
