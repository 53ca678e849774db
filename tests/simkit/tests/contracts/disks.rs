use std::cell::RefCell;
use std::rc::Rc;

use nexus_abi::ExitReason;
use nexus_bounded::Mono;
use nexus_port::{
    BLOCKS_MAX, BlockOutcome, BlockRequest, CallId, Event, Now, SECTOR_BYTES, Service, SubmitError,
    World as Port,
};
use simkit::{Disk, World};

type Notes<T> = Rc<RefCell<Vec<T>>>;
type Answers = Notes<Result<(), SubmitError>>;
type Ends = Notes<(u32, bool)>;

/// Writes down what became of its requests, each of which writes the sector of its number.
struct Writer {
    asked: bool,
    answers: Answers,
    ends: Ends,
}

impl Service for Writer {
    fn handle(&mut self, _: Now, event: Event<'_>, world: &mut impl Port) {
        match event {
            Event::Block { call, outcome } => {
                self.ends.borrow_mut().push((call.0, outcome == BlockOutcome::Done));
            }
            _ => self.asked = true,
        }
        for sector in (0..=BLOCKS_MAX as u32).filter(|_| matches!(event, Event::Wake)) {
            let request = BlockRequest::Write { sector, bytes: &[7; SECTOR_BYTES] };
            let asked = world.submit_block(CallId(sector), request);
            self.answers.borrow_mut().push(asked);
        }
    }

    fn deadline(&self) -> Option<Mono> {
        (!self.asked).then_some(Mono(0))
    }

    fn stopped(&self) -> bool {
        true
    }
}

fn world(seed: u64) -> (World, Answers, Ends) {
    let mut world = World::new(seed);
    let (answers, ends) = (Answers::default(), Ends::default());
    let (told, ended) = (Rc::clone(&answers), Rc::clone(&ends));
    world.spawn("writer", move |_| Writer {
        asked: false,
        answers: Rc::clone(&told),
        ends: Rc::clone(&ended),
    });
    (world, answers, ends)
}

#[test]
fn every_request_that_the_disk_takes_ends_once_in_any_order() {
    let mut orders = std::collections::BTreeSet::new();
    for seed in 1..20 {
        let (mut world, answers, ends) = world(seed);
        world.attach("writer", Disk::new(3));
        world.settle();
        assert_eq!(answers.borrow()[..BLOCKS_MAX], [Ok(()); BLOCKS_MAX]);
        assert_eq!(answers.borrow()[BLOCKS_MAX..], [Err(SubmitError::Busy)]);
        let mut all = ends.borrow().clone();
        orders.insert(all.clone());
        all.sort_unstable();
        assert_eq!(all, [(0, true), (1, true), (2, true), (3, false)], "the disk has 3 sectors");
    }
    assert!(orders.len() > 5);
}

#[test]
fn where_there_is_no_disk_nothing_is_taken() {
    let (mut world, answers, ends) = world(1);
    world.settle();
    assert!(answers.borrow().iter().all(|answer| *answer == Err(SubmitError::NotReady)));
    assert!(ends.borrow().is_empty());
}

#[test]
fn a_disk_outlives_its_process_and_the_next_life_hears_of_its_own_requests_only() {
    let (mut world, answers, ends) = world(1);
    world.attach("writer", Disk::new(8));
    world.settle();
    world.kill("writer", ExitReason::Killed(9));
    assert_eq!(world.disk("writer").volatile(), BLOCKS_MAX);
    world.restart("writer");
    world.settle();
    assert_eq!((answers.borrow().len(), ends.borrow().len()), (2 * BLOCKS_MAX + 2, 2 * BLOCKS_MAX));
    assert_eq!(world.disk("writer").volatile(), 2 * BLOCKS_MAX);
}
