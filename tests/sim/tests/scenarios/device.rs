//! The memory that a recipe promises is the memory that is taken.

use logd::{Keep, Logd};
use metricsd::Metricsd;
use nexus_recipe::{MemoryLine, Recipe};
use sim::allocations::live_bytes;
use sim::{device, machine};

const MIB: u64 = 1024 * 1024;

fn of_ports(recipe: &Recipe) -> u64 {
    let lines = nexus_rt::linux::daemon::memory(&recipe.port);
    2 * lines.iter().map(MemoryLine::bytes).sum::<u64>()
}

#[test]
fn both_daemons_of_a_small_device_live_in_2_mib_their_sockets_included() {
    let recipe = device(0);
    let logd = logd::memory_budget(&recipe, Keep::Nothing).bytes();
    let metricsd = metricsd::memory_budget(&recipe, Keep::Nothing).bytes();
    let ports = of_ports(&recipe);
    let all = logd + metricsd + ports;
    assert!(all <= 2 * MIB, "{logd} + {metricsd} + {ports} = {all}");
    let machine = machine(0);
    let all = logd::memory_budget(&machine, Keep::Nothing).bytes()
        + metricsd::memory_budget(&machine, Keep::Nothing).bytes();
    assert!(all > 2 * MIB, "which not every recipe does");
}

#[test]
fn what_the_daemons_take_when_they_are_made_is_what_their_budgets_say() {
    for recipe in [device(0), machine(0)] {
        let before = live_bytes();
        let logd = Logd::new(&recipe, 1, Keep::Nothing);
        let taken = (live_bytes() - before).cast_unsigned() + size_of::<Logd>() as u64;
        is_about(taken, logd::memory_budget(&recipe, Keep::Nothing).bytes());
        let before = live_bytes();
        let metricsd = Metricsd::new(&recipe, 1, Keep::Nothing);
        let taken = (live_bytes() - before).cast_unsigned() + size_of::<Metricsd>() as u64;
        is_about(taken, metricsd::memory_budget(&recipe, Keep::Nothing).bytes());
        drop((logd, metricsd));
    }
}

/// Not more than promised, and nothing promised for show.
fn is_about(taken: u64, promised: u64) {
    assert!(taken <= promised, "{taken} taken, {promised} promised");
    assert!(taken + promised / 20 >= promised, "{taken} taken, {promised} promised");
}
