//! Raw numbers and strings do not pass for what has been authenticated or numbered.

#[test]
fn raw_values_do_not_pass_for_the_newtypes() {
    trybuild::TestCases::new().compile_fail("tests/newtypes/*.rs");
}
