//! Lines on the console, for whoever holds it.

use core::fmt;

use nexus_abi::ServiceId;
use nexus_abi::kernel::CapabilityKind;

use super::calls;

/// Prints a line, if we hold the console; what does not fit a line is left out.
pub fn say(line: fmt::Arguments<'_>) {
    if let Ok(console) = calls::find(CapabilityKind::Console, ServiceId::from_raw(0)) {
        let said = calls::print(console, line);
        assert!(said.is_ok(), "we hold the console");
    }
}

/// As [`say`], for those who take a function.
pub(super) fn print(line: &str) {
    say(format_args!("{line}"));
}
