//! A service that says what it was told when it was made.
#![cfg_attr(target_os = "none", no_std, no_main)]

nexus_rt::service!("newborn", |start| {
    nexus_rt::os::say(format_args!("newborn: boot {}, {:?}", start.boot, start.keep));
    guest::Newborn
});
