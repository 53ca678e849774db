//! What must not compile does not, and the compiler says why.

#[test]
fn what_must_not_compile_does_not() {
    trybuild::TestCases::new().compile_fail("tests/refused/*.rs");
}
