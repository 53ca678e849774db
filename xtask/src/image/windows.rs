//! Where windows of devices must not lie: whoever holds one may do anything with what is there.

use std::ops::Range;

use anyhow::{Context, Result, ensure};
use nexus_abi::kernel::PAGE_BYTES;

use super::recipe::{ResourceKind, System};

/// What QEMU's board `virt` has that is the kernel's or the firmware's, by its memory map
/// (`hw/riscv/virt.c`). Memory is the last, and nothing above it is a device's.
const TAKEN: [(&str, Range<u64>); 5] = [
    ("the device that stops the machine", 0x10_0000..0x10_1000),
    ("the firmware's timer", 0x200_0000..0x201_0000),
    ("the interrupt controller", 0xc00_0000..0xc60_0000),
    ("the console", 0x1000_0000..0x1000_1000),
    ("memory", 0x8000_0000..u64::MAX),
];

/// Checks that no window overlaps another, or what is not the image's to give.
pub(super) fn check(system: &System) -> Result<()> {
    let mut seen = TAKEN.map(|(what, at)| (what.to_owned(), at)).to_vec();
    for resource in &system.resources {
        if let ResourceKind::Device { address, kib } = resource.kind {
            let name = &resource.name;
            let window = window(address, kib).with_context(|| format!("`{name}`"))?;
            let other = seen.iter().find(|(_, other)| overlap(other, &window));
            ensure!(
                other.is_none(),
                "`{name}` overlaps {}; give the window another address or size",
                other.map_or("nothing", |(what, _)| what)
            );
            seen.push((format!("`{name}`"), window));
        }
    }
    Ok(())
}

/// The addresses of a window: whole pages.
fn window(address: u64, kib: u32) -> Result<Range<u64>> {
    ensure!(
        address.is_multiple_of(PAGE_BYTES as u64),
        "a window does not begin at a page: {address:#x}"
    );
    Ok(address..address.saturating_add(u64::from(kib) * 1024))
}

fn overlap(one: &Range<u64>, other: &Range<u64>) -> bool {
    one.start < other.end && other.start < one.end
}

#[cfg(test)]
mod tests {
    use super::super::rules;
    use super::*;

    /// An image with windows of these addresses and sizes, in KiB.
    fn checked(windows: &[(u64, u32)]) -> Result<()> {
        let entry = "[[entry]]\nnames = ['init']\nprogram = 'p'\nlevel = 1\nmemory_kib = 64\n\
                     stack_kib = 4\n";
        let windows = windows.iter().enumerate().map(|(n, (address, kib))| {
            format!(
                "[[resource]]\nname = 'w{n}'\ndevice = {{ address = {address}, kib = {kib} }}\n"
            )
        });
        rules::check(&System::parse(&(entry.to_owned() + &windows.collect::<String>())).unwrap())
    }

    fn refused(windows: &[(u64, u32)], why: &str) {
        let error = format!("{:#}", checked(windows).unwrap_err());
        assert!(error.contains(why), "{error}");
    }

    #[test]
    fn windows_side_by_side_are_accepted_up_to_where_others_begin() {
        assert!(checked(&[(0x1000_1000, 4), (0x1000_2000, 8), (0x1000_4000, 4)]).is_ok());
        assert!(checked(&[(0x10_1000, 4), (0xf_f000, 4), (0x7fff_f000, 4)]).is_ok());
    }

    #[test]
    fn a_window_that_reaches_into_memory_is_refused_wherever_it_begins() {
        refused(&[(0x8000_0000, 4)], "`w0` overlaps memory");
        refused(&[(0x7fff_f000, 8)], "`w0` overlaps memory");
        refused(&[(0x1_0000_0000, 4)], "`w0` overlaps memory");
    }

    #[test]
    fn a_window_of_a_device_of_the_kernels_is_refused_wherever_it_begins() {
        refused(&[(0x10_0000, 4)], "`w0` overlaps the device that stops the machine");
        refused(&[(0x200_b000, 4)], "`w0` overlaps the firmware's timer");
        refused(&[(0xc20_0000, 4)], "`w0` overlaps the interrupt controller");
        refused(&[(0xbff_f000, 8)], "`w0` overlaps the interrupt controller");
        refused(&[(0x1000_0000, 8)], "`w0` overlaps the console");
    }

    #[test]
    fn windows_that_overlap_each_other_are_refused() {
        refused(&[(0x1000_1000, 8), (0x1000_2000, 4)], "`w1` overlaps `w0`");
        refused(&[(0x1000_2000, 4), (0x1000_1000, 8)], "`w1` overlaps `w0`");
    }

    #[test]
    fn a_window_that_is_not_whole_pages_of_addresses_is_refused() {
        refused(&[(0x1000_1800, 4)], "`w0`: a window does not begin at a page: 0x10001800");
    }
}
