//! Keeps a log on the state disk through boots: adds lines, syncs, and says on the console which of
//! them have to be there from now on. Then it reads everything back, and stops the machine.
//!
//! Whoever cuts the power meanwhile can hold the disk to what was said.
#![cfg_attr(target_os = "none", no_std, no_main)]

#[cfg(target_os = "none")]
mod os {
    use core::fmt::Write as _;

    use nexus_abi::kernel::CapabilityKind;
    use nexus_abi::{FRAME_BYTES_MAX, ServiceId};
    use nexus_bounded::Text;
    use nexus_rt::os::{Clock, calls, say};
    use nexus_wire::FileStatus;
    use nexus_wire::files::{
        Append, FileName, NewFile, Read, Replace, Reply, Request, Target, decode_reply, encode,
    };

    const PATIENCE_MILLIS: u64 = 5000;
    /// Between two tries while the disk is not ready.
    const PAUSE_MILLIS: u64 = 10;

    /// Bytes that the log may grow to.
    const CAPACITY: u32 = 200_000;
    /// Lines of one boot, each of which is synced.
    const LINES: u32 = 40;
    const LINE_BYTES: usize = 600;

    /// What went wrong.
    #[derive(Debug)]
    enum Wrong {
        Refused(FileStatus),
        NoAnswer,
        NotWhatWasWritten,
    }

    type Result<T> = core::result::Result<T, Wrong>;

    type Line = Text<LINE_BYTES>;

    fn log() -> Option<FileName<'static>> {
        FileName::new("log")
    }

    /// Asks, and lets `look` see the answer.
    fn ask<T>(request: &Request<'_>, look: impl FnOnce(Reply<'_>) -> Option<T>) -> Result<T> {
        let (mut out, mut answer) = ([0; FRAME_BYTES_MAX], [0; FRAME_BYTES_MAX]);
        let frame = encode(request, 1, &mut out).map_err(|_| Wrong::NoAnswer)?;
        let until = Clock::new().in_millis(PATIENCE_MILLIS);
        let to = calls::find(CapabilityKind::Call, ServiceId::from_name("statefsd"));
        let to = to.map_err(|_| Wrong::NoAnswer)?;
        loop {
            let length = calls::call(to, frame, &mut answer, until).map_err(|_| Wrong::NoAnswer)?;
            let answer = answer.get(..length).unwrap_or_default();
            match decode_reply(request.op(), 1, answer).ok_or(Wrong::NoAnswer)? {
                (FileStatus::Ok, reply) => return look(reply).ok_or(Wrong::NoAnswer),
                (FileStatus::NotReady | FileStatus::Busy, _) if Clock::new().ticks() < until => {
                    let _nothing = calls::wait(Clock::new().in_millis(PAUSE_MILLIS));
                }
                (status, _) => return Err(Wrong::Refused(status)),
            }
        }
    }

    fn change(request: &Request<'_>) -> Result<()> {
        ask(request, |_| Some(()))
    }

    fn epoch() -> Result<u64> {
        ask(&Request::Hello, |reply| match reply {
            Reply::Hello(hello) => Some(hello.epoch),
            _ => None,
        })
    }

    /// The length of the log; it is made if it is not there.
    fn length(name: FileName<'_>) -> Result<u32> {
        let stat = Request::Stat(Target { name, draft: false });
        let found = ask(&stat, |reply| match reply {
            Reply::Stat(stat) => Some(stat.len),
            _ => None,
        });
        match found {
            Err(Wrong::Refused(FileStatus::NotFound)) => {
                change(&Request::Create(NewFile { name, capacity: CAPACITY })).map(|()| 0)
            }
            found => found,
        }
    }

    /// A line of a boot. Lines are of many lengths, so that sectors end anywhere in them.
    fn line(boot: u32, number: u32) -> Line {
        let mut line = Line::EMPTY;
        let _fits = write!(line, "boot {boot} line {number} ").is_ok();
        for _ in 0..(number * 37 + boot) % 500 {
            let _fits = line.write_str(".").is_ok();
        }
        let _fits = line.write_str("\n").is_ok();
        line
    }

    /// Reads the log, and holds it to what boots have written: line by line, the boots in order, of
    /// each its first lines. The last boot, and its last line.
    fn read(name: FileName<'_>, len: u32) -> Result<(u32, u32)> {
        let (mut at, mut boot, mut number) = (0, 0, 0);
        while at < len {
            let next = [(boot, number + 1), (boot + 1, 1)].map(|(boot, number)| {
                let line = line(boot, number);
                (boot, number, holds(name, at, &line), line.as_str().len() as u32)
            });
            let mut found = None;
            for (boot, number, holds, bytes) in next {
                if holds? {
                    found = Some((boot, number, bytes));
                }
            }
            let (now, line, bytes) = found.ok_or(Wrong::NotWhatWasWritten)?;
            (boot, number, at) = (now, line, at + bytes);
        }
        Ok((boot, number))
    }

    /// Whether the log has this line there.
    fn holds(name: FileName<'_>, at: u32, line: &Line) -> Result<bool> {
        let mut seen = 0;
        let line = line.as_str().as_bytes();
        while let Some(rest) = line.get(seen..).filter(|rest| !rest.is_empty()) {
            let (from, max) = (at + seen as u32, rest.len() as u16);
            let same =
                ask(
                    &Request::Read(Read { draft: false, name, at: from, max }),
                    |reply| match reply {
                        Reply::Read(read) => {
                            let is_same = !read.bytes.is_empty() && rest.starts_with(read.bytes);
                            Some(if is_same { read.bytes.len() } else { 0 })
                        }
                        _ => None,
                    },
                )?;
            if same == 0 {
                return Ok(false);
            }
            seen += same;
        }
        Ok(true)
    }

    fn write(name: FileName<'_>, boot: u32, mut len: u32) -> Result<u32> {
        let epoch = epoch()?;
        let to = Target { name, draft: false };
        for number in 1..=LINES {
            let line = line(boot, number);
            let bytes = line.as_str().as_bytes();
            change(&Request::Append(Append { to, at: len, bytes }))?;
            len += bytes.len() as u32;
            if number.is_multiple_of(8) {
                let value = FileName::new("value").ok_or(Wrong::NoAnswer)?;
                change(&Request::Replace(Replace { name: value, bytes }))?;
            }
            change(&Request::Sync { epoch })?;
            say(format_args!("witness: boot {boot} line {number} is durable"));
        }
        Ok(len)
    }

    fn witness() -> Result<()> {
        let name = log().ok_or(Wrong::NoAnswer)?;
        let len = length(name)?;
        let (last, number) = read(name, len)?;
        say(format_args!("witness: found boot {last} line {number}"));
        let boot = last + 1;
        let len = write(name, boot, len)?;
        if read(name, len)? != (boot, LINES) {
            return Err(Wrong::NotWhatWasWritten);
        }
        say(format_args!("witness: boot {boot} was read back"));
        Ok(())
    }

    pub(crate) fn run(_argument: u64) -> i32 {
        let done = witness();
        if let Err(wrong) = &done {
            say(format_args!("witness: FAILED, {wrong:?}"));
        }
        let power = calls::find(CapabilityKind::Halt, ServiceId::from_raw(0));
        power.map_or(1, |power| i32::from(calls::halt(power, u16::from(done.is_err())).is_err()))
    }
}

nexus_rt::program!(os::run);
