//! No piece of a secret leaves logd, in whatever shape it came in and whatever is asked.

use std::fmt::Write as _;

use nexus_recipe::Recipe;
use nexus_wire::LogStatus;
use nexus_wire::logs::{NewRecord, Request, Search};

use crate::rig::*;

const CANARY: &str = "Kq7vX2pLw9ZtRf4YbN8mHs3JdG6cA1eU";

fn hex(text: &str) -> String {
    text.bytes().fold(String::new(), |mut hex, byte| {
        write!(hex, "{byte:02x}").unwrap();
        hex
    })
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let digit = |bits: u32| char::from(DIGITS[(bits & 63) as usize]);
    bytes.chunks(3).fold(String::new(), |mut text, chunk| {
        let byte = |at: usize| u32::from(chunk.get(at).copied().unwrap_or_default());
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        text.extend((0..=chunk.len()).map(|at| digit(bits >> (18 - 6 * at))));
        text
    })
}

/// Every eight bytes of the canary, plain, in hexadecimal and in base64 at any alignment.
fn pieces() -> Vec<String> {
    let mut pieces = Vec::new();
    for piece in CANARY.as_bytes().windows(8) {
        let text = std::str::from_utf8(piece).unwrap();
        pieces.extend([text.to_owned(), hex(text), hex(text).to_uppercase()]);
        for lead in 0..3 {
            let padded = base64(&[&vec![0; lead], piece].concat());
            // The digits that depend on neighbours are cut off.
            let cut = [0, 2, 3][lead];
            let end = padded.len() - usize::from((lead + piece.len()) % 3 != 0);
            pieces.push(padded[cut..end].to_owned());
        }
    }
    pieces
}

/// Ways in which the canary may come.
fn carriers() -> Vec<(String, String, String)> {
    let shapes = [CANARY.to_owned(), hex(CANARY), base64(CANARY.as_bytes())];
    let mut all = Vec::new();
    for secret in &shapes {
        let mut push = |scope: &str, message: String, fields: String| {
            all.push((scope.to_owned(), message, fields));
        };
        push("s", "m".into(), format!("password={secret}\n"));
        push("s", "m".into(), format!("api_key={secret}\nzone=1\n"));
        push("s", "m".into(), format!("note={secret}\n"));
        push("s", "m".into(), format!("note=Bearer {secret}\n"));
        push("s", "m".into(), format!("url=https://host/?q={secret}&x=1\n"));
        push("s", format!("login failed for {secret}"), String::new());
        push("s", format!("password={secret}"), String::new());
        push("s", format!("token: {secret}, retry"), String::new());
        push("s", format!("{{\"secret\": \"{secret}\"}}"), String::new());
        push("s", format!("({secret})"), String::new());
        for key in
            ["dbpassword", "stripe.api-keys", "label.user_token", "attr.private_key", "x_otp2"]
        {
            push("s", "m".into(), format!("{key}={secret}\n"));
        }
        for form in FORMS {
            let message = form.replace("SECRET", secret);
            push("s", message.chars().take(256).collect(), String::new());
            let value = message.replace('\n', " ");
            push("s", "m".into(), format!("note={}\n", value.get(..250).unwrap_or(&value)));
        }
        push(secret.get(..64).unwrap_or(secret), "m".into(), String::new());
    }
    all
}

/// Texts that give a secret away by its key or place, in ways that programs write.
const FORMS: [&str; 15] = [
    "mysql --password SECRET -h db",
    "run --api-key=SECRET",
    "userPassword: SECRET",
    "STRIPE_API_KEY=SECRET",
    "GET https://bob:SECRET@db.example/x",
    "redis:SECRET@10.0.0.1",
    "{\"tokens\": [\"SECRET\", \"SECRET\"]}",
    "{\"auth\":{\"user\":\"bob\",\"value\":\"SECRET\"},\"n\":1}",
    "{\\\"password\\\":\\\"SECRET\\\"}",
    "env['secret_key'] = 'SECRET'",
    "Authorization: Basic SECRET",
    "auth=bearer SECRET",
    "BEARER SECRET",
    "sent bearer SECRET",
    "-----BEGIN KEY-----\nSECRET\n-----END KEY-----",
];

/// Everything that logd can be asked, by the one who may ask everything.
fn everything_said(rig: &mut Rig) -> Vec<u8> {
    let mut said = Vec::new();
    let requests = [
        Request::Query { since_ns: 0, max: 16 },
        Request::Stats,
        Request::Hello,
        Request::Search(Search { gaps: true, ..Search::ALL }),
        Request::Audit { cursor: 0 },
        Request::Status,
        Request::Anchors,
    ];
    for request in requests {
        let mut frame = [0; 512];
        let frame = nexus_wire::logs::encode(&request, V2, &mut frame).unwrap().to_vec();
        said.extend(rig.raw(reader(), &frame));
    }
    rig.world.lines.iter().for_each(|line| said.extend(line.bytes()));
    said
}

fn leaks(recipe: &Recipe, (scope, message, fields): &(String, String, String)) -> Option<String> {
    let mut rig = Rig::new(recipe);
    let new = record(scope, message, fields);
    let mut said = rig.raw(producer(PRODUCER), &append_frame(new));
    said.extend(everything_said(&mut rig));
    let said = String::from_utf8_lossy(&said).into_owned();
    pieces().into_iter().find(|piece| said.contains(piece.as_str()))
}

#[test]
fn no_piece_of_a_secret_is_in_any_reply() {
    for carrier in carriers() {
        for recipe in [recipe(), strict_recipe()] {
            assert_eq!(leaks(&recipe, &carrier), None, "{carrier:?}");
        }
    }
}

#[test]
fn without_the_rules_the_same_search_finds_the_secret() {
    let mut recipe = recipe();
    recipe.redaction.deny_keys = [].into();
    recipe.redaction.deny_prefixes = [].into();
    (recipe.redaction.hex_run, recipe.redaction.base64_run) = (0, 0);
    for carrier in carriers() {
        // What stands between a user and a host is a password in every recipe.
        let by_place = [&carrier.1, &carrier.2].iter().any(|text| text.contains('@'));
        assert_eq!(leaks(&recipe, &carrier).is_some(), !by_place, "{carrier:?}");
    }
}

#[test]
fn a_replaced_secret_is_marked_counted_and_leaves_the_rest() {
    let mut rig = Rig::new(&recipe());
    let fields = format!("password_hash={CANARY}\npeer=a\nzone=1\n");
    let id = rig.accept(producer(PRODUCER), record("s", &format!("got {CANARY} now"), &fields));
    let found = rig.search(Search { id: nexus_wire::RecordId(id.0 - 1), ..Search::ALL }).found;
    assert_eq!(found[0].fields, "password_hash=[redacted]\npeer=a\nzone=1\n");
    assert_eq!(found[0].message, "got [redacted] now");
    let row = rig.row(PRODUCER);
    assert_eq!((row.accepted, row.redacted), (1, 2));
}

#[test]
fn what_no_longer_fits_without_its_secret_is_refused() {
    let mut rig = Rig::new(&recipe());
    let fields = format!("otp=1\nx={}\ny={}\n", "v".repeat(248), "w".repeat(252));
    assert_eq!(fields.len(), 512);
    let full: NewRecord<'_> = record("s", "m", &fields);
    let (status, _) = rig.append(producer(PRODUCER), full);
    assert_eq!(status, LogStatus::InvalidArgs);
    assert_eq!(rig.stats().used_records, 1);
}
