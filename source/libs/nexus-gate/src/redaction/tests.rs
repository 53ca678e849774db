use super::*;
use proptest::prelude::*;
use std::string::{String, ToString};
use std::vec;
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
        ("Bearer abc", "[redacted]"),
        ("key AKIAIOSFODNN7EXAMPLE used", "key [redacted] used"),
        ("sha d41d8cd98f00b204e9800998ecf8427e", "sha [redacted]"),
        ("blob Zm9vYmFyYmF6cXV4MTIz/+x end", "blob [redacted] end"),
        ("-----BEGIN RSA", "[redacted]"),
    ] {
        assert_eq!(redact(message), clean);
    }
}

#[test]
fn a_refusing_recipe_refuses_what_a_replacing_one_replaces() {
    let mut refuse = Redactor::new(&rules(OnSecret::Refuse));
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
    let mut redactor = Redactor::new(&rules(OnSecret::Replace));
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
    /// Texts that are plain together are so apart, wherever they are parted.
    #[test]
    fn plain_texts_have_nothing_secret(text in texts(), at in 0usize..40) {
        let mut redactor = Redactor::new(&rules(OnSecret::Replace));
        let (front, back) = text.split_at_checked(at.min(text.len())).unwrap_or((&text, ""));
        if redactor.finder.is_plain(text.as_bytes()) {
            for part in [&text, front, back] {
                proptest::prop_assert_eq!(redactor.finder.next(part.as_bytes(), 0), None);
            }
        }
    }

    /// In whatever form a secret is given away by its key or place.
    #[test]
    fn no_piece_of_a_secret_survives_in_any_form(
        form in proptest::sample::select(FORMS),
        secret in "[A-Za-z0-9+/.,;!$%*?^~]{8,40}",
        before in "([a-z ]{0,20} )?",
        after in "( [a-z ]{0,20})?",
    ) {
        let text = format!("{before}{}{after}", form.replace("SECRET", &secret));
        let left = redact(&text);
        for piece in pieces(&secret) {
            proptest::prop_assert!(!left.contains(piece), "{left}");
        }
    }
}

const FORMS: &[&str] = &[
    "password=SECRET",
    "db.password = SECRET",
    "userPassword: SECRET",
    "STRIPE_API_KEY=SECRET",
    "--password SECRET",
    "--password=SECRET",
    "--db-token 'SECRET'",
    "x?token=SECRET&y=1",
    "{\"password\": \"SECRET\"}",
    "{\"tokens\":[\"a\",\"SECRET\"]}",
    "{\"cookie\":{\"v\":\"SECRET\"},\"n\":1}",
    "{\\\"password\\\":\\\"SECRET\\\"}",
    "opts[\"password\"] = \"SECRET\"",
    ":token => 'SECRET'",
    "Authorization: Basic SECRET",
    "sent Bearer SECRET",
    "authorization=bearer SECRET",
    "authorization: BEARER SECRET",
    "key ghp_SECRET end",
    "-----BEGIN A KEY-----\nMIIE\nSECRET\n-----END A KEY-----",
    "-----BEGIN A KEY-----\nSECRET",
    "passwords: SECRET",
    "authorization:SECRET",
    "token:=SECRET",
    "dbpassword=SECRET",
];

/// Texts of words that the rules know.
fn texts() -> impl Strategy<Value = String> {
    let part = proptest::prop_oneof![
        "[ -~]{0,3}",
        "[ =:_.,\"'@\\\\({\\[-]{1,2}",
        proptest::sample::select(vec![
            "password",
            "Token",
            "api_key",
            "authorization",
            "Bearer ",
            "eyJ",
            "AKIA",
            "--",
            "-----BEGIN",
            "-----END",
            "ghp_",
            "deadbeef",
            "Abc123",
            "\u{e4}",
            "[redacted]",
            "Abc123deadbeefAbc123",
            "://u:",
        ])
        .prop_map(str::to_owned),
    ];
    proptest::collection::vec(part, 0..12).prop_map(|parts| parts.concat())
}

#[test]
fn what_is_secret_by_its_place_goes() {
    for (message, clean) in [
        ("mysql --password hunter2 -h db", "mysql --password [redacted] -h db"),
        ("run --db-token 'a b' x", "run --db-token '[redacted]' x"),
        ("run --token --verbose", "run --token --verbose"),
        ("GET https://bob:hunter2@db.example/x?y=1", "GET https://bob:[redacted]@db.example/x?y=1"),
        ("redis:hunter2@10.0.0.1", "redis:[redacted]@10.0.0.1"),
        ("git@host:path and mail bob@example.org", "git@host:path and mail bob@example.org"),
        ("{\"tokens\": [\"a\", \"b]\"], \"n\": 1}", "{\"tokens\": [redacted], \"n\": 1}"),
        ("{\"password\":{\"old\":\"x\"},\"n\":1}", "{\"password\":[redacted],\"n\":1}"),
        ("{\"password\": [1, 2", "{\"password\": [redacted]"),
        (r#"{"password":"ab\"cd","n":1}"#, r#"{"password":"[redacted]","n":1}"#),
        (r#""{\"password\":\"hunter2\",\"n\":1}""#, r#""{\"password\":\"[redacted]\",\"n\":1}""#),
        ("config['password'] = 'x y'", "config['password'] = '[redacted]'"),
        ("{:password=>\"x\"}", "{:password=>\"[redacted]\"}"),
        ("password := x", "password := [redacted]"),
        ("password=a,b;c d", "password=[redacted] d"),
        ("user=x,password=y,n=1", "user=x,password=[redacted],n=1"),
        ("STRIPE_API_KEY=x userPassword=y", "STRIPE_API_KEY=[redacted] userPassword=[redacted]"),
        ("key -----BEGIN X KEY-----\nMIIE\nAbC=\n-----END X KEY----- ok", "key [redacted] ok"),
        ("key -----BEGIN X KEY-----\nMIIE\nAbC=", "key [redacted]"),
    ] {
        assert_eq!(redact(message), clean);
    }
}

#[test]
fn prefixes_have_a_case_and_the_schemes_among_them_have_none_behind_a_secret_key() {
    for message in
        ["akiaiosfodnn7example", "eyjafjallajokull erupts", "GHP_X", "the bearer of news"]
    {
        assert_eq!(redact(message), message);
    }
    assert_eq!(redact("token=bearer abc x"), "token=[redacted] x");
    assert_eq!(redact("token=beaver abc x"), "token=[redacted] abc x");
}

#[test]
fn what_was_replaced_before_is_clean() {
    let fields = Fields::parse(b"label.password=[redacted]\n").unwrap();
    let mut out = [0; 64];
    let looked = Redactor::new(&rules(OnSecret::Replace)).fields(fields, &mut out);
    assert_eq!(looked, Redacted::Clean);
}

#[test]
fn a_key_that_carries_a_secret_is_refused_whatever_the_recipe_says() {
    let text = "ghp_abcdef0123456789=1\n";
    let fields = Fields::parse(text.as_bytes()).unwrap();
    let mut out = [0; 64];
    let looked = Redactor::new(&rules(OnSecret::Replace)).fields(fields, &mut out);
    assert_eq!(looked, Redacted::Refused);
}

proptest::proptest! {
    /// What is kept is what would be found again.
    #[test]
    fn an_answer_does_not_depend_on_the_keys_before(
        asked in proptest::collection::vec("(token|api|key|_|a|K|trace|pwd|ghp_|=){0,5}", 1..300),
    ) {
        let mut one = Redactor::new(&rules(OnSecret::Replace));
        for key in &asked {
            let mut fresh = Redactor::new(&rules(OnSecret::Replace));
            let key = key.as_bytes();
            proptest::prop_assert_eq!(one.finder.judge(key), fresh.finder.judge(key));
        }
    }
}

proptest::proptest! {
    /// What is known to be right is found right by those who look at everything.
    #[test]
    fn fields_that_are_known_are_canonical_within_bounds_and_clean(
        keys in proptest::collection::vec(
            "[ab_]{0,2}(token|trace|ghp_|service|a_long_name_|a_longer_name)?[a-c]?", 1..8,
        ),
        values in proptest::collection::vec(values(), 8),
        // Of each text: how many of the keys it begins behind, and how it differs from a good one.
        asked in proptest::collection::vec((0usize..4, 0u8..8), 1..20),
        (count, key_bytes) in (3usize..9, 14usize..18),
    ) {
        let bounds = FieldBounds { count, key_bytes, value_bytes: 20 };
        let mut keys = keys;
        let mut redactor = Redactor::new(&rules(OnSecret::Replace));
        for key in &keys {
            redactor.finder.judge(key.as_bytes());
        }
        for (skipped, difference) in asked {
            if difference > 1 {
                keys.sort();
                keys.dedup();
            } else {
                keys.reverse();
            }
            let pairs = keys.iter().zip(&values).skip(skipped);
            let text = pairs.map(|(key, value)| format!("{key}={value}\n")).collect::<String>();
            let cut = if difference == 2 { text.len().min(1) } else { 0 };
            let text = &text.as_bytes()[..text.len() - cut];
            // As they came first, and as they are known by then.
            for _ in 0..2 {
                if redactor.finder.knows(text, &bounds) {
                    let parsed = Fields::parse_bounded(text, &bounds);
                    proptest::prop_assert!(parsed.is_ok(), "{:?} {:?}", parsed, text);
                    let mut out = [0; 4096];
                    let mut fresh = Redactor::new(&rules(OnSecret::Replace));
                    let looked = fresh.fields(parsed.unwrap(), &mut out);
                    proptest::prop_assert_eq!(looked, Redacted::Clean);
                }
            }
        }
    }

    /// More keys than are kept: what comes to the place of another is not expected where that was.
    #[test]
    fn keys_that_are_forgotten_are_not_taken_for_their_successors(
        texts in proptest::collection::vec(
            proptest::collection::vec("[a-f]{1,4}", 1..5), 100..200,
        ),
    ) {
        let bounds = FieldBounds { count: 9, key_bytes: 16, value_bytes: 64 };
        let mut redactor = Redactor::new(&rules(OnSecret::Replace));
        for keys in &texts {
            for key in keys {
                redactor.finder.judge(key.as_bytes());
            }
            let text = keys.iter().map(|key| format!("{key}=\n")).collect::<String>();
            let parsed = Fields::parse_bounded(text.as_bytes(), &bounds);
            if redactor.finder.knows(text.as_bytes(), &bounds) {
                proptest::prop_assert!(parsed.is_ok(), "{:?} {:?}", parsed, text);
            }
        }
    }

    /// A pair of texts is found clean if each of the two is, whatever came before.
    #[test]
    fn pairs_of_texts_are_clean_as_each_of_them_is(
        parts in proptest::collection::vec(texts(), 2..5),
        asked in proptest::collection::vec((0usize..5, 0usize..5, 0usize..40), 1..40),
    ) {
        let mut redactor = Redactor::new(&rules(OnSecret::Replace));
        for (one, other, at) in asked {
            let pair = format!("{}{}", parts[one % parts.len()], parts[other % parts.len()]);
            let Some((first, second)) = pair.split_at_checked(at) else { continue };
            let mut fresh = Redactor::new(&rules(OnSecret::Replace));
            let are_clean = fresh.is_clean(first.as_bytes()) && fresh.is_clean(second.as_bytes());
            // Learnt once, kept by then, and known.
            for _ in 0..3 {
                let found = redactor.finder.are_clean(pair.as_bytes(), at);
                proptest::prop_assert_eq!(found, are_clean, "{:?} parted at {}", pair, at);
            }
        }
    }
}

/// What fields have: also what is short enough to be known as a whole.
fn values() -> impl Strategy<Value = String> {
    proptest::prop_oneof![
        texts(),
        "[0-9./]{0,17}",
        "[a-z]{0,17}",
        "(token|trace|a)[=:-][a-z]{1,9}",
        "eyJ[a-z]{0,12}",
        "[a-z]{0,14}\u{e4}",
    ]
}

#[test]
fn a_pair_of_texts_that_is_known_is_another_when_it_is_parted_elsewhere() {
    let mut redactor = Redactor::new(&rules(OnSecret::Replace));
    let pair = b"somebody changed the password=hunter2 of somebody else";
    let before_joint = 29;
    for _ in 0..3 {
        assert!(redactor.finder.are_clean(pair, before_joint), "the key alone, the value alone");
        assert!(!redactor.finder.are_clean(pair, before_joint + 1 + 7));
        assert!(!redactor.finder.are_clean(pair, 0));
    }
}

#[test]
fn what_is_too_short_to_hold_a_secret_is_left_alone() {
    assert_eq!(redact("eyJa"), "eyJa");
    assert_eq!(redact("eyJab"), "[redacted]");
}

#[test]
fn many_keys_are_known_at_once() {
    let mut redactor = Redactor::new(&rules(OnSecret::Replace));
    let bounds = FieldBounds { count: 100, key_bytes: 16, value_bytes: 64 };
    let fields = (0..40).map(|n| format!("k{n:02}=value {n}\n")).collect::<String>();
    let parsed = Fields::parse(fields.as_bytes()).unwrap();
    assert_eq!(redactor.fields(parsed, &mut [0; 8]), Redacted::Clean);
    assert!(redactor.finder.knows(fields.as_bytes(), &bounds));
    // As was expected, and as was not.
    assert!(redactor.finder.knows(fields.as_bytes(), &bounds));
    assert!(redactor.finder.knows(&fields.as_bytes()[12..], &bounds));
    assert!(redactor.finder.knows(fields.as_bytes(), &bounds));
}

#[test]
fn ordinary_fields_are_known_once_they_were_seen() {
    let mut redactor = Redactor::new(&rules(OnSecret::Replace));
    let bounds = FieldBounds { count: 4, key_bytes: 16, value_bytes: 64 };
    let fields = "code=42\nduration_ms=7\ntrace=0123456789abcdef0123456789abcdef\nzone=\n";
    assert!(!redactor.finder.knows(fields.as_bytes(), &bounds));
    let parsed = Fields::parse(fields.as_bytes()).unwrap();
    assert_eq!(redactor.fields(parsed, &mut [0; 8]), Redacted::Clean);
    assert!(redactor.finder.knows(fields.as_bytes(), &bounds));
    for (field, other) in [
        ("duration_ms=7", "duration_ms=token=hunter2"),
        ("code=42", "code=42\ncode=42"),
        ("code=42", "code=password=x"),
        ("ms=7", "ms=\u{e4}"),
        ("zone=\n", "zone="),
        ("zone=", "ozone="),
        ("zone=", "zone=1\nzz="),
    ] {
        let changed = fields.replace(field, other);
        assert!(!redactor.finder.knows(changed.as_bytes(), &bounds), "{changed}");
    }
    assert!(!redactor.finder.knows(fields.as_bytes(), &FieldBounds { count: 3, ..bounds }));
    assert!(!redactor.finder.knows(fields.as_bytes(), &FieldBounds { key_bytes: 10, ..bounds }));
    assert!(!redactor.finder.knows(fields.as_bytes(), &FieldBounds { value_bytes: 31, ..bounds }));
}
