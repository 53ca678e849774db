//! obsctl and the daemons, as people run them.
#![expect(clippy::unwrap_used, reason = "a test may stop")]

mod cardinality;
mod crowd;
mod disks;
mod follow;
mod fsck;
mod golden;
mod ids;
mod kept;
mod kept_logs;
mod killed;
mod liar;
mod lives;
mod losses;
mod outages;
mod people;
mod programs;
mod raw;
mod relay;
mod rollups;
mod support;
mod terminal;
mod thief;
mod traced;
mod tutorial;
mod wire;
