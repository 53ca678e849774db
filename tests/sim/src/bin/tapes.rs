//! Records the tape of a run of metricsd, with a twin in which one event is another one, and plays
//! tapes in the simulated world and as a process of Linux: that prints what the program of the
//! guest prints.
#![expect(clippy::expect_used, reason = "a tool of tests may stop")]

use std::fs::{self, File};
use std::os::unix::fs::FileExt as _;

use nexus_abi::ServiceId;
use nexus_bounded::Mono;
use nexus_port::{
    BlockOutcome, BlockRequest, CallId, Event, Now, SECTOR_BYTES, Service, SubmitError, Token,
    World,
};
use sim::taped::{play_simulated, player, record};
use tape::{altered, whole};

/// Behind so many events one is altered.
const ALTERED: usize = 100;

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match args.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["record", tape, other] => {
            let entries = record().entries;
            fs::write(tape, whole(&entries)).expect("a place for the tape");
            let entries = altered(&entries, ALTERED).expect("there are more events");
            fs::write(other, whole(&entries)).expect("a place for the altered tape");
        }
        ["simulated", tape] => {
            let tape = fs::read(tape).expect("a tape");
            let ((), lines) = play_simulated(&tape, |_| ());
            lines.iter().for_each(|line| println!("{line}"));
        }
        ["linux", tape] => play_on_linux(&File::open(tape).expect("a tape")),
        _ => panic!("tapes record TAPE ALTERED | tapes simulated TAPE | tapes linux TAPE"),
    }
}

/// A process of Linux: what it asks of its disk is read from a file, lines go to its output.
#[derive(Default)]
struct Process {
    asked: Option<(CallId, BlockRequest<'static>)>,
}

impl World for Process {
    fn reply(&mut self, _: Token, _: &[u8]) {}

    fn submit(&mut self, _: ServiceId, _: CallId, _: &[u8]) -> Result<(), SubmitError> {
        Err(SubmitError::NotReady)
    }

    fn submit_block(&mut self, call: CallId, request: BlockRequest<'_>) -> Result<(), SubmitError> {
        let BlockRequest::Read { sector, sectors } = request else {
            return Err(SubmitError::NotReady);
        };
        self.asked = Some((call, BlockRequest::Read { sector, sectors }));
        Ok(())
    }

    fn print(&mut self, line: &str) {
        println!("{line}");
    }
}

fn play_on_linux(tape: &File) {
    let (mut player, mut process) = (player(), Process::default());
    let now = Now { mono: Mono(0), wall: None };
    while !player.stopped() {
        player.handle(now, Event::Wake, &mut process);
        if let Some((call, BlockRequest::Read { sector, sectors })) = process.asked.take() {
            let mut bytes = vec![0; sectors as usize * SECTOR_BYTES];
            let at = u64::from(sector) * SECTOR_BYTES as u64;
            tape.read_exact_at(&mut bytes, at).expect("the tape's next block");
            let event = Event::Block { call, outcome: BlockOutcome::Read(&bytes) };
            player.handle(now, event, &mut process);
        }
    }
}
