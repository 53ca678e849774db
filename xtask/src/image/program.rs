//! A program as its linker leaves it, in whole pages as the kernel wants it.

use anyhow::{Context, Result, bail, ensure};
use elf::ElfBytes;
use elf::abi::{EM_RISCV, PF_W, PF_X, PT_LOAD};
use elf::endian::LittleEndian;
use elf::segment::ProgramHeader;
use neuron_core::format;
use nexus_abi::kernel::PAGE_BYTES;

/// A program.
pub(crate) struct Program {
    pub(crate) start: u64,
    pub(crate) segments: Vec<Segment>,
}

/// A part of it.
pub(crate) struct Segment {
    pub(crate) address: u64,
    pub(crate) pages: u32,
    /// How it may be used, as it stands in the image.
    pub(crate) access: u32,
    /// What it begins with; whole pages unless it may be written.
    pub(crate) bytes: Vec<u8>,
}

impl Program {
    /// Reads an ELF file.
    pub(crate) fn parse(file: &[u8]) -> Result<Self> {
        let elf = ElfBytes::<LittleEndian>::minimal_parse(file)?;
        ensure!(elf.ehdr.e_machine == EM_RISCV, "it is not a program for RISC-V");
        let headers = elf.segments().context("it has no segments")?;
        let loaded = headers.iter().filter(|header| header.p_type == PT_LOAD && header.p_memsz > 0);
        let segments = loaded.map(|header| Segment::read(&elf, &header)).collect::<Result<_>>()?;
        Ok(Self { start: elf.ehdr.e_entry, segments })
    }

    /// Pages that a process of it gets for itself.
    pub(crate) fn written_pages(&self) -> u32 {
        let written = self.segments.iter().filter(|segment| segment.access == format::WRITE);
        written.map(|segment| segment.pages).sum()
    }
}

impl Segment {
    fn read(elf: &ElfBytes<'_, LittleEndian>, header: &ProgramHeader) -> Result<Self> {
        let page = PAGE_BYTES as u64;
        let address = header.p_vaddr;
        ensure!(address.is_multiple_of(page), "a segment begins at {address:#x}, within a page");
        let access = match (header.p_flags & PF_W != 0, header.p_flags & PF_X != 0) {
            (false, false) => format::READ,
            (true, false) => format::WRITE,
            (false, true) => format::EXECUTE,
            (true, true) => bail!("a segment may be written and executed"),
        };
        let pages = header.p_memsz.div_ceil(page);
        let mut bytes = elf.segment_data(header)?.to_vec();
        if access != format::WRITE {
            bytes.resize(pages as usize * PAGE_BYTES, 0);
        }
        Ok(Self { address, pages: u32::try_from(pages)?, access, bytes })
    }
}
