use super::*;
use proptest::prelude::*;
use std::string::ToString;
use std::vec::Vec;

fn rules(on_secret: OnSecret) -> Redaction {
    let list = |words: &[&str]| words.iter().map(ToString::to_string).collect();
    Redaction {
        on_secret,
        deny_keys: list(&["password", "token", "authorization", "api_key", "cookie"]),
        allow_keys: list(&["token.count", "trace"]),
        deny_prefixes: list(&["Bearer ", "eyJ", "-----BEGIN", "AKIA", "ghp_"]),
        hex_run: 32,
        base64_run: 20,
    }
}

fn redact(message: &str) -> String {
    let mut out = [0; 512];
    match Redactor::new(&rules(OnSecret::Replace)).message(message, &mut out) {
        Redacted::Clean => message.to_string(),
        Redacted::Refused => "refused".to_string(),
        Redacted::Replaced { value, .. } => value.to_string(),
    }
}

#[test]
fn ordinary_prose_passes_untouched() {
    for message in [
        "",
        "spawned pid=7 name=demo.exit42 in 12 ms",
        "token.count=3 is a number and keybearer no prefix",
        "GET /index.html?page=2 took 3:20",
        "a-very-long-kebab-case-word-that-is-no-secret-at-all",
        "0123456789abcdef is short hexadecimal",
    ] {
        assert_eq!(redact(message), message);
    }
}

#[test]
fn values_behind_secret_keys_go() {
    for (message, clean) in [
        ("login password=hunter2 ok", "login password=[redacted] ok"),
        ("user_password=hunter2", "user_password=[redacted]"),
        ("Authorization: Basic dXNlcjpw", "Authorization: [redacted]"),
        ("{\"token\": \"a b c\", \"n\": 1}", "{\"token\": \"[redacted]\", \"n\": 1}"),
        ("password=\"two words\" next", "password=\"[redacted]\" next"),
        ("/x?a=1&api_key=zz&b=2", "/x?a=1&api_key=[redacted]&b=2"),
        ("PASSWORD = x", "PASSWORD = [redacted]"),
    ] {
        assert_eq!(redact(message), clean);
    }
}

#[test]
fn words_that_begin_or_look_secret_go() {
    for (message, clean) in [
        ("with Bearer abc.def to x", "with [redacted] to x"),
        ("bearer abc", "[redacted]"),
        ("key AKIAIOSFODNN7EXAMPLE used", "key [redacted] used"),
        ("sha d41d8cd98f00b204e9800998ecf8427e", "sha [redacted]"),
        ("blob Zm9vYmFyYmF6cXV4MTIz/+x end", "blob [redacted] end"),
        ("-----BEGIN RSA", "[redacted] RSA"),
    ] {
        assert_eq!(redact(message), clean);
    }
}

#[test]
fn a_refusing_recipe_refuses_what_a_replacing_one_replaces() {
    let refuse = Redactor::new(&rules(OnSecret::Refuse));
    assert_eq!(refuse.message("password=x", &mut [0; 64]), Redacted::Refused);
    assert_eq!(refuse.message("all is well", &mut [0; 64]), Redacted::Clean);
}

#[test]
fn fields_lose_their_secret_values_and_keep_their_keys() {
    let fields = Fields::parse(b"a=1\npassword=hunter2\nurl=/x?token=abc\n").unwrap();
    let mut out = [0; 256];
    let redacted = Redactor::new(&rules(OnSecret::Replace)).fields(fields, &mut out);
    let Redacted::Replaced { value, count } = redacted else { panic!("{redacted:?}") };
    assert_eq!(value.as_str(), "a=1\npassword=[redacted]\nurl=[redacted]\n");
    assert_eq!(count, 2);
}

#[test]
fn what_does_not_fit_without_its_secrets_is_refused() {
    let redactor = Redactor::new(&rules(OnSecret::Replace));
    assert_eq!(redactor.message("token=x", &mut [0; 8]), Redacted::Refused);
}

/// Every 8-byte piece of a secret, wherever it stands.
fn pieces(secret: &str) -> Vec<&str> {
    (0..=secret.len() - 8).map(|at| &secret[at..at + 8]).collect()
}

proptest::proptest! {
    #[test]
    fn no_piece_of_a_keyed_secret_survives(
        before in "[ -~]{0,40}",
        secret in "[A-Za-z0-9+/]{8,60}",
        after in "( [ -~]{0,40})?",
        joint in "(=|: |=\")",
    ) {
        let text = format!("{before} password{joint}{secret}{after}");
        let left = redact(&text);
        let outside = format!("{before} {after}");
        for piece in pieces(&secret) {
            proptest::prop_assert!(!left.contains(piece) || outside.contains(piece), "{left}");
        }
    }

    #[test]
    fn redacting_twice_changes_nothing_more(text in "[ -~]{0,120}") {
        let once = redact(&text);
        proptest::prop_assert_eq!(redact(&once), once);
    }

    #[test]
    fn no_text_panics(text in "\\PC{0,200}") {
        redact(&text);
    }
}

#[test]
fn under_an_allowed_key_the_shape_of_a_value_says_nothing_and_its_beginning_still_does() {
    let long = "0123456789abcdef0123456789abcdef";
    let fields = |key: &str, value: &str| {
        let text = format!("{key}={value}\n");
        let mut out = [0; 128];
        let fields = Fields::parse(text.as_bytes()).unwrap();
        match Redactor::new(&rules(OnSecret::Replace)).fields(fields, &mut out) {
            Redacted::Clean => "clean",
            Redacted::Refused => "refused",
            Redacted::Replaced { .. } => "replaced",
        }
    };
    assert_eq!(fields("trace", long), "clean");
    assert_eq!(fields("track", long), "replaced");
    assert_eq!(fields("trace", "Bearer x"), "replaced");
    assert_eq!(fields("trace", "password=x"), "replaced");
}

proptest::proptest! {
    #[test]
    fn what_passes_the_sieve_has_nothing_secret(
        parts in proptest::collection::vec(
            proptest::prop_oneof![
                "[ -~]{0,3}",
                "[ =:_.,\"'-]{1,2}",
                proptest::sample::select(vec![
                    "password", "Token", "api_key", "authorization", "Bearer ", "eyJ", "AKIA",
                    "-----BEGIN", "ghp_", "deadbeef", "Abc123", "\u{e4}",
                    "Abc123deadbeefAbc123", "Abc123deadbeefAbc123",
                ]).prop_map(str::to_owned),
            ],
            0..12,
        ),
    ) {
        let text = parts.concat();
        let redactor = Redactor::new(&rules(OnSecret::Replace));
        if redactor.sieve.passes(text.as_bytes()) {
            proptest::prop_assert_eq!(redactor.next_secret(&text, 0), None);
            let fields = text.replace('\n', " ");
            let fields = std::format!("{}={}\n", fields.to_lowercase().replace('=', ""), fields);
            assert_pass_is_clean(&redactor, &fields);
        }
        assert_pass_is_clean(&redactor, &std::format!("a=1\ntrace={}\n", text.replace('\n', " ")));
        assert_pass_is_clean(&redactor, &std::format!("trace=1\nz={}\n", text.replace('\n', " ")));
    }
}

/// Fields that pass at first sight are clean by the rules, too.
fn assert_pass_is_clean(redactor: &Redactor, fields: &str) {
    if let Ok(fields) = Fields::parse(fields.as_bytes())
        && redactor.passes_fields(fields.as_bytes())
    {
        for (key, value) in fields.iter() {
            assert!(!redactor.field_is_secret((key, value)), "{fields:?}");
            assert!(!redactor.value_is_secret(key), "{fields:?}");
        }
    }
}

#[test]
fn a_span_passes_at_first_sight_and_a_run_elsewhere_does_not() {
    let redactor = Redactor::new(&rules(OnSecret::Replace));
    let passes = |fields: &str| redactor.passes_fields(fields.as_bytes());
    let run = "0123456789abcdef0123456789abcdef";
    assert!(passes(&format!("name=x\ntrace={run}\n")));
    assert!(passes(&format!("name=x\ntrace={run} {run}\n")));
    assert!(passes(&format!("trace={run}\nz=1\n")));
    assert!(!passes(&format!("trace=1\nz={run}\n")));
    assert!(!passes(&format!("trace={run}\nz={run}\n")));
    assert!(!passes(&format!("a.trace={run}\n")));
    assert!(!passes(&format!("trace=1\n{run}=1\n")));
    assert!(!passes(&format!("trace=Bearer x{run}\n")));
}
