//! Who runs: nobody starves who stands as high as others, and servers cost their callers.

use neuron_core::{ProcessId, Schedule};
use proptest::prelude::*;

const SLICE: u64 = 100;

fn id(raw: usize) -> ProcessId {
    ProcessId::new(raw).unwrap()
}

/// Who runs from `now` on, and for how long at most.
fn next(schedule: &mut Schedule, now: u64) -> (usize, u64) {
    let (id, end) = schedule.choose(now).unwrap();
    (id.index(), end - now)
}

proptest! {
    /// Whenever somebody is chosen, nobody who can run stands higher.
    #[test]
    fn the_highest_runs(
        levels in prop::collection::vec(0..8_u8, 1..20),
        steps in prop::collection::vec((any::<usize>(), any::<bool>(), 0..150_u64), 0..200),
    ) {
        let mut schedule = Schedule::new(SLICE);
        levels.iter().enumerate().for_each(|(raw, &level)| schedule.admit(id(raw), level));
        let mut now = 0;
        for (raw, wakes, ticks) in steps {
            let raw = raw % levels.len();
            if wakes { schedule.wake(id(raw)) } else { schedule.block(id(raw)) }
            now += ticks;
            let ready = (0..levels.len()).filter(|&raw| schedule.is_ready(id(raw)));
            let highest = ready.map(|raw| levels[raw]).min();
            let chosen = schedule.choose(now).map(|(id, _)| id.index());
            prop_assert_eq!(chosen.map(|raw| levels[raw]), highest);
            prop_assert!(chosen.is_none_or(|raw| schedule.is_ready(id(raw))));
        }
    }

    /// However often others interrupt themselves, equals get equal time, within a slice each way.
    #[test]
    fn nobody_starves_among_equals(
        count in 2..10_usize,
        pauses in prop::collection::vec((any::<bool>(), 1..SLICE), 3000),
    ) {
        let mut schedule = Schedule::new(SLICE);
        (0..count).for_each(|raw| schedule.admit(id(raw), 4));
        let (mut now, mut spent) = (0, vec![0; count]);
        for (pauses, ticks) in pauses {
            let (running, most) = next(&mut schedule, now);
            let ticks = if running == 0 && pauses { ticks.min(most) } else { most };
            now += ticks;
            spent[running] += ticks;
            if running == 0 {
                // The one that pauses can run again at once, and gains nothing by it.
                schedule.block(id(0));
                schedule.wake(id(0));
            }
        }
        let (least, most) = (spent.iter().min().unwrap(), spent.iter().max().unwrap());
        prop_assert!(most - least <= 2 * SLICE, "{spent:?}");
    }

    /// Who has a server work for it all the time gets no more than who works itself.
    #[test]
    fn a_server_spends_its_callers_slice(
        work in prop::collection::vec((1..30_u64, 1..30_u64), 2000),
    ) {
        const SERVER: usize = 0;
        const FLOOD: usize = 1;
        const MODEST: usize = 2;
        let mut schedule = Schedule::new(SLICE);
        schedule.admit(id(SERVER), 1);
        schedule.block(id(SERVER));
        schedule.admit(id(FLOOD), 4);
        schedule.admit(id(MODEST), 4);
        let (mut now, mut modest) = (0, 0);
        for (asks, serves) in work {
            let (running, most) = next(&mut schedule, now);
            if running == MODEST {
                now += most;
                modest += most;
                continue;
            }
            now += asks;
            schedule.serve(id(SERVER), id(FLOOD));
            schedule.wake(id(SERVER));
            prop_assert_eq!(next(&mut schedule, now).0, SERVER);
            now += serves;
            schedule.block(id(SERVER));
        }
        // Overrunning a slice is possible by what the server does last.
        prop_assert!(modest * 100 >= now * 40 || now < 10 * SLICE, "{modest} of {now}");
    }
}

#[test]
fn whoever_wakes_higher_runs_at_once_and_equals_wait_for_their_turn() {
    let mut schedule = Schedule::new(SLICE);
    schedule.admit(id(1), 4);
    schedule.admit(id(2), 4);
    schedule.admit(id(3), 2);
    schedule.block(id(2));
    schedule.block(id(3));
    assert_eq!(next(&mut schedule, 0).0, 1);
    schedule.wake(id(2));
    assert_eq!(schedule.next_at_same_cost(), Some(id(1)));
    schedule.wake(id(3));
    assert_eq!(schedule.next_at_same_cost(), None, "somebody else pays from here on");
    assert_eq!(next(&mut schedule, 10).0, 3);
}
