//! `docs/sessions.md` has the bytes of a handshake; they are made anew here.

use std::collections::BTreeMap;

use nexus_bounded::Mono;
use nexus_wire::sessions::line::{self, KEY_BYTES, Kind, PROLOGUE_BYTES_MAX, SUITE};
use nexus_wire::sessions::{EndpointName, SessionId};

use crate::noise::{Accepting, Channel, Opening, Pair, public_key};
use crate::rooms::Rooms;

const PAGE: &str = include_str!("../../../../docs/sessions.md");
const A: [u8; KEY_BYTES] = [0x11; KEY_BYTES];
const B: [u8; KEY_BYTES] = [0x22; KEY_BYTES];

fn pair<'a>(private: &'a [u8; KEY_BYTES], public: &'a [u8; KEY_BYTES]) -> Pair<'a> {
    let (from, to) = (EndpointName::new("a").unwrap(), EndpointName::new("b").unwrap());
    Pair { private, public, from, to }
}

/// The bytes that the page should have, by their titles.
fn made() -> Vec<(&'static str, Vec<u8>)> {
    let (a, b) = (public_key(&A), public_key(&B));
    let Pair { from, to, .. } = pair(&A, &b);
    let mut room = [0; PROLOGUE_BYTES_MAX];
    let prologue = line::prologue(SUITE, from, to, &mut room).unwrap().to_vec();
    let (opening, hello) = Opening::begin(pair(&A, &b), &[0x33; 32], Mono(7)).unwrap();
    let (accepting, at) = Accepting::begin(pair(&B, &a), &[0x44; 32], &hello).unwrap();
    assert_eq!(at, Mono(7));
    let (mut theirs, welcome) = accepting.end(SessionId(3)).unwrap();
    let (mut ours, session) = opening.end(&welcome).unwrap();
    assert_eq!(session, SessionId(3));
    let mut rooms = Rooms::new();
    let mut seal = |channel: &mut Channel, kind, said: &[u8]| {
        channel.seal(kind, said, &mut rooms.sealing).unwrap().bytes.to_vec()
    };
    vec![
        ("public key of a", a.to_vec()),
        ("public key of b", b.to_vec()),
        ("prologue", prologue),
        ("first message", hello.to_vec()),
        ("second message", welcome.to_vec()),
        ("\"hello\" from a, counter 0", seal(&mut ours, Kind::Data, b"hello")),
        ("\"hello\" from b, counter 0", seal(&mut theirs, Kind::Data, b"hello")),
        ("the end from a, counter 1", seal(&mut ours, Kind::End, b"")),
    ]
}

fn hex(bytes: &[u8]) -> String {
    let group = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let line = |bytes: &[u8]| bytes.chunks(4).map(group).collect::<Vec<_>>().join(" ");
    bytes.chunks(32).map(|bytes| format!("= {}\n", line(bytes))).collect()
}

/// What stands on a page, by its titles.
fn on(page: &str) -> BTreeMap<String, String> {
    let blocks = page.split("```bytes ").skip(1);
    let block = |block: &str| {
        let (title, rest) = block.split_once('\n')?;
        let (bytes, _) = rest.split_once("```")?;
        Some((title.to_owned(), bytes.to_owned()))
    };
    blocks.filter_map(block).collect()
}

fn mistakes(page: &str) -> Vec<String> {
    let (on_page, made) = (on(page), made());
    let wrong = made.iter().filter(|(title, bytes)| on_page.get(*title) != Some(&hex(bytes)));
    let mut mistakes = wrong
        .map(|(title, bytes)| format!("```bytes {title}\n{}```\n", hex(bytes)))
        .collect::<Vec<_>>();
    if on_page.len() != made.len() {
        mistakes.push(format!("{} blocks on the page, {} are made", on_page.len(), made.len()));
    }
    mistakes
}

#[test]
fn the_page_has_the_bytes_of_the_handshake() {
    let mistakes = mistakes(PAGE);
    assert!(mistakes.is_empty(), "it should have\n\n{}", mistakes.join("\n"));
}

#[test]
fn a_page_that_says_something_else_is_noticed() {
    let at = PAGE.find("```bytes first message\n= ").unwrap() + "```bytes first message\n= ".len();
    let mut page = PAGE.to_owned();
    page.replace_range(at..=at, if page.as_bytes()[at] == b'0' { "1" } else { "0" });
    assert_eq!(mistakes(&page).len(), 1);
    assert_eq!(mistakes(&PAGE.replace("```bytes prologue", "```text prologue")).len(), 2);
}
