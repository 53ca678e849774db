//! The store below `/state` takes its memory when it is made.

use nexus_port::BlockDevice;
use sim::allocations::{as_service, live_bytes, while_serving};
use simkit::Disk;
use statefs::blocking;
use statefs::{Format, Limits, Quota, Refusal, Store};

const LIMITS: Limits = Limits { sectors: 2048, files: 32, open: 4 };

/// As `blocking::drive`, without counting what the disk takes.
fn drive(store: &mut Store, disk: &mut Disk) {
    while let Some(request) = as_service(true, || store.next_io()) {
        let outcome = disk.carry_out(request);
        as_service(true, || store.complete(outcome));
    }
}

fn day(store: &mut Store, disk: &mut Disk, at: usize) -> Result<(), Refusal> {
    let log = match store.find("log") {
        Some(log) => log,
        None => as_service(true, || store.create("log", 30_000))?,
    };
    as_service(true, || store.append(log, &[7; 1000]))?;
    as_service(true, || store.replace(["a", "b", "c"][at % 3], &[8; 3000]))?;
    if at % 20 == 19 {
        as_service(true, || store.delete(log))?;
    }
    assert!(as_service(true, || store.list("").count()) >= 1);
    as_service(true, || store.sync())?;
    drive(store, disk);
    Ok(())
}

#[test]
fn a_store_takes_what_it_said_when_it_is_made_and_nothing_afterwards() {
    let mut disk = Disk::new(LIMITS.sectors);
    let format = Format::new(LIMITS, 1).unwrap();
    let before = live_bytes();
    let mut store = Store::new(format, &[Quota { prefix: "", bytes: 1 << 20 }]);
    let taken = live_bytes() - before + size_of::<Store>() as i64;
    let quota = 64;
    let said = Store::memory(&format) as i64;
    assert!((said..said + quota).contains(&taken), "said {said}, took {taken}");
    let served = while_serving();
    as_service(true, || store.format());
    drive(&mut store, &mut disk);
    for at in 0..500 {
        day(&mut store, &mut disk, at).unwrap();
        if at % 100 == 99 {
            as_service(true, || store.mount());
            drive(&mut store, &mut disk);
        }
    }
    assert_eq!(store.synced().0, 501);
    assert_eq!(while_serving() - served, 0, "no memory while serving");
    assert_eq!(blocking::read_format(&mut disk), Ok(format));
}

#[test]
fn the_count_of_what_a_store_takes_counts() {
    let format = Format::new(LIMITS, 1).unwrap();
    let served = while_serving();
    drop(as_service(true, || Store::new(format, &[])));
    assert!(while_serving() > served);
}
