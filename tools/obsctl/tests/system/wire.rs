//! Raw frames by hand, as `docs/wire.md` shows them: in another language, and byte by byte.

use std::io::Write as _;
use std::process::{Command, Stdio};

use nexus_rt::linux::client::Connection;

use crate::support::{Folder, daemons, text};

const PAGE: &str = include_str!("../../../../docs/wire.md");

/// The lines of the first block that begins with `head`.
fn block(head: &str) -> impl Iterator<Item = &'static str> {
    let lines = PAGE.lines().skip_while(move |line| *line != head).skip(1);
    lines.take_while(|line| *line != "```")
}

/// The bytes of an example.
fn example(head: &str) -> Vec<u8> {
    let digits: String = block(&format!("```frame {head}"))
        .filter_map(|line| line.strip_prefix('='))
        .flat_map(|line| line.chars().filter(|char| !char.is_whitespace()))
        .collect();
    assert!(!digits.is_empty(), "no example of {head}");
    let byte = |at: usize| u8::from_str_radix(&digits[at..at + 2], 16).unwrap();
    (0..digits.len()).step_by(2).map(byte).collect()
}

fn ask(connection: &mut Connection, frame: &[u8]) -> Vec<u8> {
    let mut reply = [0; 4096];
    let len = connection.call(frame, &mut reply).unwrap();
    reply[..len].to_vec()
}

fn contains(bytes: &[u8], text: &[u8]) -> bool {
    bytes.windows(text.len()).any(|window| window == text)
}

#[test]
fn the_example_in_another_language_runs_as_written() {
    let folder = Folder::new("python");
    let _daemons = daemons(&folder);
    let program: String = block("```python").flat_map(|line| [line, "\n"]).collect();
    assert!(program.contains("SOCK_SEQPACKET"), "the example is missing");
    let python = Command::new("python3")
        .arg("-")
        .arg(&folder.0)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let Ok(mut python) = python else {
        panic!("python3 is missing, needed to run an example; `cargo xtask setup` installs it")
    };
    python.stdin.take().unwrap().write_all(program.as_bytes()).unwrap();
    let output = python.wait_with_output().unwrap();
    let said = text(&output.stdout);
    assert!(output.status.success(), "{said}\n{}", text(&output.stderr));
    for line in ["ping 4d54018600", "counter_inc 4d54018100", "APPEND 0 record", "QUERY 0 total"] {
        assert!(said.lines().any(|said| said.starts_with(line)), "{line}: {said}");
    }
    assert!(said.contains("b'mail' b'queue drained' b'jobs=5\\nqueue=mail\\n'"), "{said}");
}

#[test]
fn own_operations_of_metricsd_work_byte_by_byte() {
    let folder = Folder::new("bytes");
    let _daemons = daemons(&folder);
    let mut metricsd = Connection::open(&folder.0, "metricsd").unwrap();
    let hello = ask(&mut metricsd, &example("metricsd HELLO request"));
    // HELLO, ok, the example's nonce; another epoch than ours, so nothing goes on.
    assert_eq!(hello[..9], *b"MT\x01\x90\x00\x07\0\0\0");
    assert_eq!((hello.len(), hello[26]), (47, 0));
    let registered = ask(&mut metricsd, &example("metricsd REGISTER request"));
    assert_eq!(registered[..9], *b"MT\x01\x91\x00\x07\0\0\0");
    let series = &registered[9..17];
    assert_eq!(registered[17], 2, "the two bounds of the example");
    // BATCH 1: no values, one item: tag 1, series, sum 1500, one bucket: index 1, count 1.
    let mut batch = b"MT\x01\x14\x08\0\0\0\x01\0\0\0\0\0\x01\0\x01".to_vec();
    batch.extend_from_slice(series);
    batch.extend_from_slice(&1500_u64.to_le_bytes());
    batch.extend_from_slice(&[1, 1]);
    batch.extend_from_slice(&1_u64.to_le_bytes());
    let acknowledged = ask(&mut metricsd, &batch);
    assert_eq!(acknowledged, b"MT\x01\x94\x00\x08\0\0\0\x01\0\0\0\0\0\0\0");
    let scraped = ask(&mut metricsd, &example("metricsd SCRAPE request"));
    assert_eq!(scraped[..9], *b"MT\x01\x95\x00\x07\0\0\0");
    assert!(contains(&scraped, b"sched.wakeupssvc=timed\n"), "{scraped:?}");
    // The value of a histogram: sum, bounds, counts.
    let value = [1500_i128.to_le_bytes().as_slice(), &[2], &1000_u64.to_le_bytes()].concat();
    assert!(contains(&scraped, &value), "{scraped:?}");
}

#[test]
fn a_record_comes_back_by_search_byte_by_byte() {
    let folder = Folder::new("search");
    let _daemons = daemons(&folder);
    let mut logd = Connection::open(&folder.0, "logd").unwrap();
    let appended = ask(&mut logd, &example("logd v2 APPEND request"));
    assert_eq!(appended[..13], *b"LO\x02\x81\x00\x15\0\0\0\0\0\0\0");
    // The example asks for a service; we are another one, so ask for all: 8 bytes of zeros behind
    // the head (12), boot (4), id, since and until (8 each).
    let mut search = example("logd v2 SEARCH request");
    search[40..48].fill(0);
    let found = ask(&mut logd, &search);
    assert_eq!(found[..13], *b"LO\x02\x92\x00\x15\0\0\0\0\0\0\0");
    // Behind the head: boot, total, dropped, next_id, more, count.
    assert_eq!(found[42..44], [1, 0], "one record: {found:?}");
    assert!(contains(&found, b"execdcrashcode=42\npid=7\n"), "{found:?}");
}
