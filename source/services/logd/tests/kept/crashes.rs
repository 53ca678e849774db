//! Power is cut after each write of a workload over several rotations of the log, and inside.

use simkit::fates;

use crate::rig::{Rig, STATEFSD};

/// Each number once, one behind another, from wherever to at least `synced` and at most `appended`.
fn check(rig: &mut Rig, synced: usize, appended: usize, boot: u32) {
    let all = rig.all();
    let of_boot = all.iter().filter(|seen| seen.boot == boot);
    let numbers = of_boot.clone().filter_map(|seen| seen.message.parse::<usize>().ok());
    let numbers = numbers.collect::<Vec<_>>();
    assert!(numbers.windows(2).all(|pair| pair[0] + 1 == pair[1]), "{numbers:?}");
    let end = numbers.last().map_or(0, |last| last + 1);
    assert!((synced..=appended).contains(&end), "{end} of {synced}..={appended}");
    let lost = of_boot.filter(|seen| seen.is_gap && seen.message == "lost in crash").count();
    assert_eq!(lost, usize::from(all.iter().any(|seen| seen.boot == boot)), "it says so");
}

/// Cuts after each step while records are appended and synced; how many cuts.
fn cut_everywhere(count: usize, samples: usize) -> usize {
    let mut rig = Rig::new();
    let mut other = Rig::new();
    let (mut synced, mut cuts) = (0, 0);
    for number in 0..count {
        let message = number.to_string();
        if number % 4 != 3 {
            rig.info(&message);
            continue;
        }
        rig.seconds(2);
        rig.send_error(&message);
        let (goal, mut disks) = (number + 1, Vec::new());
        loop {
            let disk = rig.world.disk(STATEFSD);
            let all = fates(disk.volatile(), samples, number as u64);
            disks.extend(all.map(|fate| disk.cut(&fate)));
            if !rig.world.round() {
                break;
            }
        }
        assert_eq!(rig.status("retention_written"), (goal + 1).to_string());
        for disk in disks {
            other.swap(disk);
            check(&mut other, synced, goal, 1);
            cuts += 1;
        }
        synced = goal;
        other.swap(rig.disk().cut(&[]));
        check(&mut other, synced, goal, 1);
    }
    cuts
}

#[test]
fn what_was_synced_is_there_after_every_cut_each_once_and_the_rest_is_said_to_be_lost() {
    let cuts = cut_everywhere(72, 0);
    println!("{cuts} cuts");
    assert!(cuts > 300);
}

#[test]
#[ignore = "long: more records, more ways to cut"]
fn what_was_synced_is_there_after_every_cut_of_a_long_life() {
    assert!(cut_everywhere(400, 64) > 1000);
}
