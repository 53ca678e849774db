//! Names of generations.

use nexus_retention::generation::Generation;
use proptest::prelude::*;

#[test]
fn only_names_that_a_generation_writes_are_of_one() {
    assert_eq!(Generation::of("g1/wal.00"), Some(Generation::FIRST));
    assert_eq!(Generation::of("g12/").map(Generation::number), Some(12));
    for other in ["wal", "g/wal", "g1", "g01/wal", "g0/wal", "g-1/wal", "g+1/wal", "h1/wal", ""] {
        assert_eq!(Generation::of(other), None, "{other}");
    }
    assert_eq!(Generation::of("g4294967296/wal"), None);
}

proptest! {
    #[test]
    fn a_generation_is_told_by_its_names(number in 1_u32.., rest in "[a-z0-9./]{0,20}") {
        let generation = Generation::of(&format!("g{number}/{rest}")).unwrap();
        prop_assert_eq!(generation.number(), number);
        prop_assert_eq!(generation.to_string(), format!("g{number}/"));
    }
}
