//! Raw integers and texts do not pass where an identifier or a checked text must stand.

#[test]
fn only_checked_values_pass() {
    let cases = trybuild::TestCases::new();
    cases.pass("tests/newtypes/checked.rs");
    cases.compile_fail("tests/newtypes/raw_*.rs");
}
