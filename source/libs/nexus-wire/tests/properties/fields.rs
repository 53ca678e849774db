use nexus_wire::{
    FieldBounds, FieldError, Fields, FieldsWriter, LabelBytes, Labels, is_identity_key, is_key,
};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};

use crate::any::pairs;

/// The definition, word by word, without any thought for speed.
fn is_canonical(bytes: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(bytes) else { return false };
    let legal = |char: char| matches!(char, 'a'..='z' | '0'..='9' | '_' | '.' | '-');
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let keys: Vec<Option<&str>> = lines
        .iter()
        .map(|line| line.strip_suffix('\n')?.split_once('=').map(|(key, _)| key))
        .collect();
    let good =
        |key: &Option<&str>| key.is_some_and(|key| !key.is_empty() && key.chars().all(legal));
    keys.iter().all(good) && keys.windows(2).all(|pair| pair[0] < pair[1])
}

fn joined(pairs: &[(String, String)]) -> String {
    pairs.iter().map(|(key, value)| format!("{key}={value}\n")).collect()
}

/// Text made of what fields are made of, so that much of it is nearly canonical.
fn nearly() -> impl Strategy<Value = String> {
    let piece =
        select(&["=", "\n", "a", "b", "bb", "a=", "b=\n", "c=é\n", "-", "_x.", "~", "A"][..]);
    vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn canonical_fields_are_read_as_they_were_written(pairs in pairs()) {
        let mut out = [0; 1024];
        let mut writer = FieldsWriter::new(&mut out);
        for (key, value) in &pairs {
            prop_assert!(writer.field(key, value));
        }
        prop_assert_eq!(writer.is_empty(), pairs.is_empty());
        let written = writer.finish().unwrap();
        prop_assert_eq!(written.as_str(), joined(&pairs));
        let fields = Fields::parse(written.as_str().as_bytes()).unwrap();
        let read: Vec<_> = fields.iter().map(|(k, v)| (k.to_owned(), v.to_owned())).collect();
        prop_assert_eq!(&read, &pairs);
        for (key, value) in &pairs {
            prop_assert_eq!(fields.get(key), Some(&**value));
        }
        prop_assert_eq!(fields.get("~"), None);
    }

    #[test]
    fn what_is_canonical_is_decided_as_defined(text in nearly()) {
        prop_assert_eq!(Fields::parse(text.as_bytes()).is_ok(), is_canonical(text.as_bytes()));
    }

    #[test]
    fn a_change_of_a_byte_is_judged_as_defined(
        pairs in pairs(),
        at in any::<Index>(),
        byte in any::<u8>(),
    ) {
        let mut bytes = joined(&pairs).into_bytes();
        if !bytes.is_empty() {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        prop_assert_eq!(Fields::parse(&bytes).is_ok(), is_canonical(&bytes));
    }

    #[test]
    fn any_bytes_are_judged_as_defined(bytes in vec(any::<u8>(), 0..40)) {
        prop_assert_eq!(Fields::parse(&bytes).is_ok(), is_canonical(&bytes));
    }

    #[test]
    fn an_identity_key_anywhere_is_a_claim(
        pairs in pairs(),
        key in select(&["requester_id", "sender_service_id", "service", "service_id"][..]),
    ) {
        let mut claiming = pairs.clone();
        claiming.push((key.to_owned(), String::new()));
        claiming.sort();
        claiming.dedup_by(|a, b| a.0 == b.0);
        let text = joined(&claiming);
        let claims = Err(FieldError::ClaimsIdentity);
        prop_assert_eq!(Fields::parse_claimless(text.as_bytes()), claims);
        prop_assert!(Fields::parse(text.as_bytes()).is_ok());
        if text.len() <= 192 {
            let labels = LabelBytes::new(text.as_bytes()).unwrap();
            prop_assert_eq!(Labels::parse(labels).err(), Some(FieldError::ClaimsIdentity));
        }
        let harmless = joined(&pairs);
        let claimed = pairs.iter().any(|(key, _)| is_identity_key(key));
        prop_assert_eq!(Fields::parse_claimless(harmless.as_bytes()).is_err(), claimed);
    }

    /// What the writer refuses leaves no trace, whatever the room.
    #[test]
    fn a_writer_writes_fields_whole_or_not_at_all(
        tries in vec(("[a-cA~]{0,3}", "[a\n]{0,3}"), 0..10),
        room in 0usize..40,
    ) {
        let mut out = vec![0; room];
        let mut writer = FieldsWriter::new(&mut out);
        let mut model = String::new();
        for (key, value) in &tries {
            let longer = format!("{model}{key}={value}\n");
            let is_pair = !value.contains('\n') && is_canonical(longer.as_bytes());
            let legal = longer.len() <= room && is_pair;
            prop_assert_eq!(writer.field(key, value), legal);
            if legal {
                model = longer;
            }
            prop_assert_eq!(writer.len(), model.len());
        }
        prop_assert_eq!(writer.finish().unwrap().as_str(), model);
    }
}

#[test]
fn each_mistake_has_its_name() {
    let error = |bytes: &[u8]| Fields::parse(bytes).err();
    assert_eq!(error(b"a=\xff\n"), Some(FieldError::NotText));
    assert_eq!(error(b"a=1"), Some(FieldError::NotAPair));
    assert_eq!(error(b"a\n"), Some(FieldError::NotAPair));
    assert_eq!(error(b"\n"), Some(FieldError::NotAPair));
    assert_eq!(error(b"=1\n"), Some(FieldError::BadKey));
    assert_eq!(error(b"A=1\n"), Some(FieldError::BadKey));
    assert_eq!(error(b"a b=1\n"), Some(FieldError::BadKey));
    assert_eq!(error(b"b=1\na=1\n"), Some(FieldError::Unsorted));
    assert_eq!(error(b"a=1\na=2\n"), Some(FieldError::Duplicate));
    assert_eq!(error(b"a=\nb==\n"), None);
}

#[test]
fn keys_are_texts_of_their_characters_and_some_claim_an_identity() {
    for key in ["a", "z9", "label.k-1_x", "service", "services"] {
        assert!(is_key(key), "{key}");
        assert!(Fields::parse(format!("{key}=1\n").as_bytes()).is_ok());
    }
    for other in ["", "A", "a b", "a=", "a\n", "\u{e4}"] {
        assert!(!is_key(other), "{other:?}");
    }
    let claims = |key: &&str| is_identity_key(key);
    let keys = ["requester_id", "sender_service_id", "service", "service_id", "", "servic", "svc"];
    assert_eq!(keys.iter().filter(|key| claims(key)).count(), 4);
}

#[test]
fn a_key_may_come_in_pieces() {
    let mut out = [0; 64];
    let mut writer = FieldsWriter::new(&mut out);
    assert!(writer.joined(&["label.", "cpu"], 3));
    assert!(!writer.joined(&["label", ".", "cpu"], 4));
    assert!(writer.joined(&["label.", "cpu", "0"], format_args!("{}%", 5)));
    assert_eq!(writer.finish().unwrap().as_str(), "label.cpu=3\nlabel.cpu0=5%\n");
}

#[test]
fn each_bound_holds_at_its_value_and_not_beyond() {
    let bounds = FieldBounds { count: 2, key_bytes: 3, value_bytes: 4 };
    let parsed = |text: &'static str| Fields::parse_bounded(text.as_bytes(), &bounds).err();
    assert_eq!(parsed("abc=1234\nb=\n"), None);
    for beyond in ["a=\nb=\nc=\n", "abcd=\n", "a=12345\n"] {
        assert_eq!(parsed(beyond), Some(FieldError::OverBound), "{beyond}");
    }
    assert_eq!(parsed("b=\na=\n"), Some(FieldError::Unsorted));
    let bounds = FieldBounds { count: 2, key_bytes: 9, value_bytes: 4 };
    let claim = Fields::parse_bounded(b"service=1\n", &bounds);
    assert_eq!(claim, Err(FieldError::ClaimsIdentity));
}
