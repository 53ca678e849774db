//! Plays the tape on the disk to metricsd, and prints hashes of all that it lets out, and how many
//! instructions its longest event takes.
#![cfg_attr(target_os = "none", no_std, no_main)]

#[cfg(target_os = "none")]
mod os {
    use metricsd::{Keep, Metricsd};
    use nexus_rt::os::instructions;
    use tape::Player;

    pub(crate) fn player() -> Player<Metricsd> {
        let recipe = tape::recipe(guest::recipe());
        Player::new(Metricsd::new(&recipe, tape::BOOT, Keep::Files)).counting(instructions)
    }
}

nexus_rt::service!("tape", |_| os::player());
