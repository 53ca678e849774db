//! The keys of endpoints.

use super::sections::service_name;
use super::table::{Report, Table};
use crate::{EndpointKeys, KEY_BYTES, Keys};

pub(super) fn keys(t: &mut Table<'_, '_>) -> Keys {
    let endpoint = |t: &mut Table<'_, '_>| EndpointKeys {
        name: t.text("name", service_name),
        public: bytes(&t.text("public", key)).unwrap_or_default(),
        private: bytes(&t.text("private", key)).unwrap_or_default(),
    };
    Keys { endpoints: t.tables("endpoint", endpoint).into() }
}

fn key(text: &str) -> Result<(), String> {
    let wrong = || format!("no key: write {} digits of 0-9 and a-f", 2 * KEY_BYTES);
    bytes(text).map(drop).ok_or_else(wrong)
}

fn bytes(text: &str) -> Option<[u8; KEY_BYTES]> {
    let digit = |c: char| c.to_digit(16).filter(|_| !c.is_ascii_uppercase());
    let digits = text.chars().map(digit).collect::<Option<Vec<_>>>()?;
    let pairs = digits.chunks(2).map(|pair| pair.iter().fold(0, |byte, digit| byte * 16 + digit));
    let bytes = pairs.map(|byte| byte as u8).collect::<Vec<_>>();
    bytes.try_into().ok().filter(|_| digits.len() == 2 * KEY_BYTES)
}

/// Everybody has keys of its own.
pub(super) fn check(report: &mut Report<'_>, keys: &Keys) {
    for (at, endpoint) in keys.endpoints.iter().enumerate() {
        let earlier = || keys.endpoints.iter().take(at);
        if earlier().any(|other| other.name == endpoint.name) && !endpoint.name.is_empty() {
            let what = format!("`{}` has keys already; remove one pair", endpoint.name);
            report.error_at(&format!("endpoint[{at}].name"), what);
        }
        for part in ["public", "private"] {
            let of =
                |keys: &EndpointKeys| if part == "public" { keys.public } else { keys.private };
            let path = format!("endpoint[{at}].{part}");
            let is_shared = earlier().any(|other| of(other) == of(endpoint));
            if is_shared && !report.is_wrong(&path) {
                report.error_at(&path, "another endpoint has this key; make a pair for each");
            }
        }
    }
}
