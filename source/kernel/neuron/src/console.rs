//! The console: a 16550, by polling. A line is written whole before anything else can happen.
#![expect(unsafe_code, reason = "the registers of a device")]

use core::fmt::{self, Write};

use crate::physical::Register;

const TRANSMIT: usize = 0;
const LINE_STATUS: usize = 5;
const TRANSMIT_EMPTY: u8 = 1 << 5;

/// The serial port.
#[derive(Clone, Copy)]
pub(crate) struct Console {
    transmit: Register<u8>,
    status: Register<u8>,
}

impl Console {
    /// The port whose registers begin at `base`.
    ///
    /// # Safety
    /// There is one.
    pub(crate) unsafe fn at(base: usize) -> Self {
        // SAFETY: the caller's promise.
        unsafe {
            let transmit = Register::at(base + TRANSMIT);
            Self { transmit, status: Register::at(base + LINE_STATUS) }
        }
    }

    fn byte(self, byte: u8) {
        while self.status.read() & TRANSMIT_EMPTY == 0 {}
        self.transmit.write(byte);
    }

    /// Writes a line of a process. What could pretend to be another line or command a terminal
    /// is shown as `?`.
    pub(crate) fn line(self, text: impl Iterator<Item = u8>) {
        let shown = text.map(|byte| if byte < b' ' || byte == 0x7f { b'?' } else { byte });
        shown.chain([b'\r', b'\n']).for_each(|byte| self.byte(byte));
    }
}

impl Write for Console {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        text.bytes().for_each(|byte| self.byte(byte));
        Ok(())
    }
}

/// The firmware's console, for when there may be no other.
pub(crate) struct Firmware;

impl Write for Firmware {
    #[expect(deprecated, reason = "firmware without the newer console is still in use")]
    fn write_str(&mut self, text: &str) -> fmt::Result {
        text.bytes().for_each(|byte| {
            sbi_rt::legacy::console_putchar(usize::from(byte));
        });
        Ok(())
    }
}
