//! What machine this is, as its device tree says.

use core::ops::Range;

use dtoolkit::fdt::{Fdt, FdtNode};
use dtoolkit::standard::NodeStandard as _;
use dtoolkit::{Node as _, Property as _};

/// The parts of the machine that the kernel itself uses.
pub(crate) struct Platform {
    /// RAM, by address, as far as it lies in one gigabyte: the kernel has no use for more.
    pub(crate) memory: Range<u64>,
    /// Where the boot loader has put the image.
    pub(crate) image: Range<u64>,
    /// Ticks of the `time` register in a second.
    pub(crate) ticks_per_second: u64,
    /// Whether the timer is a register of the hart, not a call of the firmware.
    pub(crate) has_stimecmp: bool,
    pub(crate) console: usize,
    pub(crate) interrupts: usize,
    pub(crate) finisher: usize,
}

impl Platform {
    /// Reads the device tree; the name of the part that is missing otherwise.
    pub(crate) fn read(tree: Fdt<'_>) -> Result<Self, &'static str> {
        let cpus = tree.find_node("/cpus").ok_or("cpus")?;
        let isa = cpus.children().find_map(|cpu| text(&cpu, "riscv,isa")).unwrap_or_default();
        Ok(Self {
            memory: memory(tree).ok_or("memory")?,
            image: image(tree).ok_or("image (-initrd)")?,
            ticks_per_second: number(&cpus, "timebase-frequency").ok_or("timebase-frequency")?,
            has_stimecmp: isa.split('_').any(|extension| extension == "sstc"),
            console: device(tree, "ns16550a").ok_or("console")?,
            interrupts: device(tree, "riscv,plic0").ok_or("interrupt controller")?,
            finisher: device(tree, "sifive,test0").ok_or("finisher")?,
        })
    }
}

fn memory(tree: Fdt<'_>) -> Option<Range<u64>> {
    let mut nodes = tree.root().children();
    let node = nodes.find(|node| text(node, "device_type") == Some("memory"))?;
    let reg = node.reg().ok()??.next()?;
    let start = reg.address::<u64>().ok()?;
    let end = start + reg.size::<u64>().ok()?;
    Some(start..end.min((start / GIGABYTE + 1) * GIGABYTE))
}

const GIGABYTE: u64 = 1 << 30;

fn image(tree: Fdt<'_>) -> Option<Range<u64>> {
    let chosen = tree.find_node("/chosen")?;
    let start = number(&chosen, "linux,initrd-start")?;
    Some(start..number(&chosen, "linux,initrd-end")?)
}

fn device(tree: Fdt<'_>, compatible: &str) -> Option<usize> {
    let soc = tree.find_node("/soc")?;
    let mut devices = soc.children();
    let node = devices.find(|node| node.is_compatible(compatible))?;
    node.reg().ok()??.next()?.address::<u64>().ok()?.try_into().ok()
}

/// A number of one or two cells.
fn number(node: &FdtNode<'_>, name: &str) -> Option<u64> {
    let property = node.property(name)?;
    let value = property.value();
    let wide = value.try_into().map(u64::from_be_bytes);
    wide.or_else(|_| value.try_into().map(|cell| u64::from(u32::from_be_bytes(cell)))).ok()
}

fn text<'a>(node: &FdtNode<'a>, name: &str) -> Option<&'a str> {
    node.properties().find(|property| property.name() == name)?.value_as().ok()
}
