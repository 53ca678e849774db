//! A service that says what it was told when it was made, and ends before it serves.
#![cfg_attr(target_os = "none", no_std, no_main)]

nexus_rt::service!("stillborn", |start| -> guest::Newborn {
    nexus_rt::os::say(format_args!("stillborn: boot {}, {:?}", start.boot, start.keep));
    nexus_rt::os::calls::exit(7)
});
