//! The page, taken apart.

use std::collections::BTreeMap;

/// A fenced block that describes a frame: ```` ```frame logd v2 APPEND request ````.
pub(crate) struct Frame {
    pub(crate) name: String,
    pub(crate) layout: String,
    pub(crate) example: Vec<u8>,
}

pub(crate) struct Page {
    /// Cells of the rows of each marked table, heads left out.
    pub(crate) tables: BTreeMap<String, Vec<Vec<String>>>,
    /// Layouts by their names; those of heads begin with `head`.
    pub(crate) layouts: BTreeMap<String, String>,
    pub(crate) frames: Vec<Frame>,
}

impl Page {
    pub(crate) fn read(text: &str) -> Self {
        let mut page =
            Self { tables: BTreeMap::new(), layouts: BTreeMap::new(), frames: Vec::new() };
        let mut lines = text.lines().peekable();
        while let Some(line) = lines.next() {
            if let Some(name) = line.strip_prefix("<!-- table: ") {
                let rows = std::iter::from_fn(|| lines.next_if(|line| line.starts_with('|')));
                let rows = rows.skip(2).map(cells).collect();
                page.tables.insert(name.trim_end_matches(" -->").to_owned(), rows);
            } else if let Some(info) = line.strip_prefix("```").filter(|info| !info.is_empty()) {
                let block: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
                page.add_block(info, &block);
            }
        }
        page
    }

    fn add_block(&mut self, info: &str, block: &[&str]) {
        let (examples, layout): (Vec<&str>, Vec<&str>) =
            block.iter().partition(|line| line.starts_with('='));
        let layout = layout.join(" ");
        if let Some(name) = info.strip_prefix("frame ") {
            let example = bytes(&examples.concat());
            self.frames.push(Frame { name: name.to_owned(), layout, example });
        } else if let Some(name) = info.strip_prefix("layout ") {
            self.layouts.insert(name.to_owned(), layout);
        } else if info.starts_with("head ") {
            self.layouts.insert(info.to_owned(), layout);
        }
    }
}

impl Frame {
    /// `logd v2` or `metricsd`, the operation, and `request`, `reply` or `refusal`.
    pub(crate) fn parts(&self) -> Option<(&str, &str, &str)> {
        let (rest, direction) = self.name.rsplit_once(' ')?;
        let (proto, op) = rest.rsplit_once(' ')?;
        Some((proto, op, direction))
    }

    pub(crate) fn is(&self, proto: &str, op: &str, direction: &str) -> bool {
        self.parts().is_some_and(|(p, o, d)| p == proto && same(o, op) && d == direction)
    }
}

/// Whether an operation on the page is one in the code: `APPEND_BATCH` is `AppendBatch`.
pub(crate) fn same(on_page: &str, in_code: &str) -> bool {
    on_page.replace('_', "").eq_ignore_ascii_case(in_code)
}

fn cells(row: &str) -> Vec<String> {
    row.trim_matches('|').split('|').map(|cell| cell.trim().trim_matches('`').to_owned()).collect()
}

fn bytes(hex: &str) -> Vec<u8> {
    let digits: Vec<u32> = hex.chars().filter_map(|digit| digit.to_digit(16)).collect();
    digits
        .chunks(2)
        .map(|pair| pair.iter().fold(0, |byte, digit| byte * 16 + *digit as u8))
        .collect()
}
