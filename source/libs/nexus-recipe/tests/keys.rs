//! The keys of endpoints: good ones are read, and each change to them is one error.
#![cfg(feature = "parse")]

use nexus_recipe::Keys;

const GOOD: &str = r#"
[[endpoint]]
name = "a"
public = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
private = "100102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"

[[endpoint]]
name = "b"
public = "200102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
private = "300102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
"#;

#[test]
fn an_endpoint_has_its_own_private_key_and_the_public_ones_of_the_others() {
    let keys = Keys::parse(GOOD).unwrap();
    let ring = keys.ring("b").unwrap();
    assert_eq!((&*ring.name, ring.private[0], ring.private[31]), ("b", 0x30, 0x1f));
    let peers = ring.peers.iter().map(|peer| (&*peer.name, peer.public[0])).collect::<Vec<_>>();
    assert_eq!(peers, [("a", 0)]);
    assert_eq!(keys.ring("c"), None);
    let source = ring.to_source();
    assert!(source.starts_with("Keyring { name: \"b\".into(), private: [48, 1, 2,"), "{source}");
    assert!(!source.contains("[16, 1, 2,"), "nobody has another's private key: {source}");
}

#[test]
fn each_change_is_one_error_at_its_line() {
    for (from, to, line, says) in [
        ("name = \"b\"", "name = \"a\"", 8, "`a` has keys already"),
        ("name = \"b\"", "name = \"B\"", 8, "`B`"),
        ("public = \"20", "public = \"2", 9, "64 digits"),
        ("public = \"20", "public = \"2g", 9, "64 digits"),
        ("private = \"30", "private = \"3A", 10, "64 digits"),
        ("public = \"20", "public = \"00", 9, "another endpoint has this key"),
        ("private = \"30", "private = \"10", 10, "another endpoint has this key"),
        ("private = \"30", "secret = \"30", 10, "unknown"),
    ] {
        let errors = Keys::parse(&GOOD.replace(from, to)).unwrap_err().to_string();
        assert!(errors.contains(&format!("{line}:")) && errors.contains(says), "{to}: {errors}");
    }
}
