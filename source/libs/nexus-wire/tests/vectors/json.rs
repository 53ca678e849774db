//! One line of a vector file, and how to get at what it says.

use std::collections::BTreeMap;

use serde_json::Value;

pub(crate) struct Line {
    json: Value,
    text: String,
}

/// The lines of a file; an empty line would be a mistake, so it fails to parse.
pub(crate) fn lines(file: &str) -> Vec<Line> {
    file.lines()
        .map(|text| Line { json: serde_json::from_str(text).unwrap(), text: text.to_owned() })
        .collect()
}

/// Checks every line and counts what each was.
pub(crate) fn count(
    lines: &[Line],
    check: impl Fn(&Line) -> &'static str,
) -> Vec<(&'static str, usize)> {
    let mut counts = BTreeMap::new();
    for line in lines {
        *counts.entry(check(line)).or_default() += 1;
    }
    counts.into_iter().collect()
}

impl Line {
    /// A text of the line itself.
    pub(crate) fn top(&self, key: &str) -> &str {
        self.json[key].as_str().unwrap_or_else(|| panic!("{key} in {}", self.text))
    }

    /// Whether the line says something of `key`.
    pub(crate) fn says(&self, key: &str) -> bool {
        !self.json[key].is_null()
    }

    pub(crate) fn status(&self) -> u64 {
        self.json["status"].as_u64().unwrap_or_else(|| panic!("status in {}", self.text))
    }

    pub(crate) fn valid(&self) -> bool {
        self.json["valid"].as_bool().unwrap_or_else(|| panic!("valid in {}", self.text))
    }

    pub(crate) fn frame(&self) -> Vec<u8> {
        bytes(self.top("hex"))
    }

    pub(crate) fn response(&self) -> Vec<u8> {
        bytes(self.top("response_hex"))
    }

    /// A text among the arguments.
    pub(crate) fn text(&self, key: &str) -> &str {
        self.json["args"][key].as_str().unwrap_or_else(|| panic!("{key} in {}", self.text))
    }

    /// An integer among the arguments; wide ones stand there as strings.
    pub(crate) fn int<T: TryFrom<i128>>(&self, key: &str) -> T {
        let value = &self.json["args"][key];
        let wide = match value {
            Value::String(digits) => digits.parse().ok(),
            Value::Number(number) => number.as_i64().map(i128::from),
            _ => None,
        };
        let value = wide.and_then(|wide: i128| T::try_from(wide).ok());
        value.unwrap_or_else(|| panic!("{key} in {}", self.text))
    }

    /// Whether the arguments have `key`.
    pub(crate) fn has(&self, key: &str) -> bool {
        !self.json["args"][key].is_null()
    }
}

fn bytes(hex: &str) -> Vec<u8> {
    assert!(hex.len().is_multiple_of(2), "{hex}");
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
}
