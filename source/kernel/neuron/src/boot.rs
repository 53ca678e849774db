//! From the firmware to the first process.
#![expect(unsafe_code, reason = "believes the firmware and its device tree")]

use core::fmt::Write as _;
use core::ops::Range;

use dtoolkit::fdt::Fdt;
use neuron_core::{Image, ProcessId, Resource, SLICES_PER_SECOND};
use nexus_abi::kernel::{CapabilityKind, PAGE_BYTES, VERSION};
use riscv::register::stvec::{self, Stvec, TrapMode};
use riscv::register::{scounteren, sie, sstatus};

use crate::console::Console;
use crate::devices::{self, Interrupts, Timer};
use crate::entry::{self, Layout};
use crate::memory::Unclaimed;
use crate::neuron::{self, Devices, Neuron, RESOURCES_MAX};
use crate::physical::{self, Page, set_entry};
use crate::platform::Platform;
use crate::space::{self, KERNEL_CODE, KERNEL_CONSTANTS, KERNEL_DATA, leaf, table};

/// Where `_start` goes on.
#[unsafe(no_mangle)] // SAFETY: the assembly calls it by this name.
extern "C" fn boot(_hart: usize, tree: *const u8) -> ! {
    set_vector();
    let mut neuron = match prepare(tree) {
        Ok(neuron) => neuron,
        Err(what) => panic!("cannot boot: {what}"),
    };
    enable_traps();
    entry::resume(neuron.leave())
}

fn prepare(tree: *const u8) -> Result<Neuron<'static>, &'static str> {
    // SAFETY: the firmware says that the device tree lies there; nobody writes to it before
    // memory is handed out, and by then it is not needed any more.
    let tree = unsafe { Fdt::from_raw(tree) }.map_err(|_| "device tree")?;
    let platform = Platform::read(tree)?;
    // SAFETY: the device tree has it.
    unsafe { devices::set_finisher(platform.finisher) };
    let image = read_image(&platform)?;
    let mut unclaimed = Unclaimed::new(&platform.memory, entry::layout().end);
    let hole = platform.image.clone();
    let kernel_root = map_kernel(&platform.memory, &mut unclaimed, &hole).ok_or("memory")?;
    let reserved = reserve(&image, &platform.memory, &mut unclaimed, &hole)?;
    let memory = unclaimed.release(&hole).ok_or("memory")?;
    // SAFETY: the device tree has these devices; `boot` runs once.
    let mut neuron = unsafe {
        neuron::begin(Devices {
            memory,
            image,
            kernel_root,
            reserved,
            console: Console::at(platform.console),
            timer: Timer::new(platform.has_stimecmp),
            interrupts: Interrupts::at(platform.interrupts),
            ticks_per_second: platform.ticks_per_second,
        })
    };
    first_process(&mut neuron)?;
    Ok(neuron)
}

fn read_image(platform: &Platform) -> Result<Image<'static>, &'static str> {
    let Range { start, end } = platform.image;
    if !Page::of(start).address().eq(&start) {
        return Err("the image does not begin at a page");
    }
    // SAFETY: the boot loader has put it there; it is never handed out as memory, and what
    // processes map of it they cannot write.
    let bytes = unsafe { physical::bytes(start, (end - start) as usize) };
    Image::parse(bytes).map_err(|_| "image")
}

fn first_process(neuron: &mut Neuron<'_>) -> Result<(), &'static str> {
    let Devices { image, kernel_root, ticks_per_second, .. } = *neuron.devices;
    neuron.hardware.activate(space::satp(kernel_root));
    neuron.kernel.schedule().set_slice(ticks_per_second / SLICES_PER_SECOND);
    neuron.kernel.cast(&image);
    let first = image.entry(ProcessId::FIRST).ok_or("first entry")?;
    let free = neuron.devices.memory.free();
    let entries = image.entries().count();
    let _ = writeln!(
        neuron.devices.console,
        "neuron: ABI {VERSION}, {entries} entries, {free} pages free, first is {}\r",
        first.name
    );
    neuron.start(ProcessId::FIRST, first.rights).map_err(|_| "memory for the first process")
}

/// The kernel's own half of every address space: devices, code, constants, and all of RAM.
fn map_kernel(memory: &Range<u64>, unclaimed: &mut Unclaimed, hole: &Range<u64>) -> Option<Page> {
    let [root, middle, last] = [(); 3].map(|()| unclaimed.reserve(1, hole));
    let (root, middle, last) = (root?, middle?, last?);
    set_entry(root, 0, leaf(Page::numbered(0), KERNEL_DATA));
    set_entry(root, gigabyte(memory.start), table(middle));
    let kernel = entry::layout();
    // What lies below us is the firmware's.
    for at in (kernel.start..memory.end).step_by(MEGAPAGE as usize) {
        set_entry(middle, (at / MEGAPAGE) as usize, leaf(Page::of(at), KERNEL_DATA));
    }
    set_entry(middle, (kernel.start / MEGAPAGE) as usize, table(last));
    (0..512).for_each(|n| set_entry(last, n, own_page(&kernel, Page::of(kernel.start).plus(n))));
    Some(root)
}

const MEGAPAGE: u64 = 2 << 20;

const fn gigabyte(address: u64) -> usize {
    (address >> 30) as usize
}

/// How a page of the two megabytes is mapped in which the kernel lies.
fn own_page(kernel: &Layout, page: Page) -> u64 {
    let at = page.address();
    match at {
        _ if at < kernel.text_end => leaf(page, KERNEL_CODE),
        _ if at < kernel.rodata_end => leaf(page, KERNEL_CONSTANTS),
        _ if at == kernel.stack_guard => 0,
        _ => leaf(page, KERNEL_DATA),
    }
}

/// Gives pools and shared regions their memory. A device window must end before any begins.
fn reserve(
    image: &Image<'_>,
    memory: &Range<u64>,
    unclaimed: &mut Unclaimed,
    hole: &Range<u64>,
) -> Result<[Page; RESOURCES_MAX], &'static str> {
    let mut reserved = [Page::numbered(0); RESOURCES_MAX];
    for (place, resource) in reserved.iter_mut().zip(image.resources()) {
        match resource.kind {
            CapabilityKind::Dma | CapabilityKind::Shared => {
                *place = unclaimed.reserve(resource.size as usize, hole).ok_or("memory")?;
            }
            CapabilityKind::Device if !ends_before(&resource, memory) => {
                return Err("a device window lies in memory");
            }
            _ => {}
        }
    }
    Ok(reserved)
}

fn ends_before(window: &Resource, memory: &Range<u64>) -> bool {
    let bytes = u64::from(window.size) * PAGE_BYTES as u64;
    window.physical.checked_add(bytes).is_some_and(|end| end <= memory.start)
}

/// From now on a fault of our own is said.
fn set_vector() {
    let mut vector = Stvec::from_bits(entry::vector());
    vector.set_trap_mode(TrapMode::Direct);
    // SAFETY: `enter_kernel` handles traps from now on; interrupts are off.
    unsafe { stvec::write(vector) }
}

fn enable_traps() {
    // SAFETY: interrupts come only while a process runs, which `sret` makes run in user mode with
    // interrupts on; processes may read the time.
    unsafe {
        sie::set_stimer();
        sie::set_sext();
        scounteren::set_tm();
        scounteren::set_ir();
        sstatus::set_spie();
        sstatus::set_spp(sstatus::SPP::User);
        sstatus::clear_sum();
    }
}
