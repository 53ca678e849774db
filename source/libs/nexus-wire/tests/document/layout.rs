//! Layouts of the page, walked over the examples.

use std::collections::BTreeMap;

use crate::page::{Frame, Page, same};

/// What stands in an example, by name; of a name that stands twice the last.
type Values = BTreeMap<String, u128>;

/// A walk over an example.
struct Walk<'p> {
    page: &'p Page,
    rest: &'p [u8],
    values: Values,
}

pub(crate) fn mistakes(page: &Page) -> Vec<String> {
    page.frames
        .iter()
        .filter_map(|frame| walk(page, frame).err().map(|why| format!("{}: {why}", frame.name)))
        .collect()
}

fn walk(page: &Page, frame: &Frame) -> Result<(), String> {
    let (proto, op, direction) = frame.parts().ok_or("three parts make a name")?;
    let direction = if direction == "request" { "request" } else { "reply" };
    let head = page.layouts.get(&format!("head {proto} {direction}")).ok_or("no head")?;
    let mut walk = Walk { page, rest: &frame.example, values: Values::new() };
    walk.layout(head)?;
    walk.layout(&frame.layout)?;
    if !walk.rest.is_empty() {
        return Err(format!("{} bytes more than the layout says", walk.rest.len()));
    }
    check_op(page, proto, op, direction, &walk.values)?;
    check_row(&walk.values)
}

/// The operation's byte is the number that the table gives it.
fn check_op(
    page: &Page,
    proto: &str,
    op: &str,
    direction: &str,
    values: &Values,
) -> Result<(), String> {
    let (service, version) = proto.split_once(' ').unwrap_or((proto, "v1"));
    let table = page.tables.get(&format!("{service} operations")).ok_or("no operations")?;
    let named =
        |row: &&Vec<String>| row.get(1).is_some_and(|name| same(name, &op.replace('_', "")));
    let number = table.iter().find(named).and_then(|row| row.first()?.parse::<u128>().ok());
    let number = number.ok_or("no such operation")?;
    let expected = if direction == "request" { number } else { number | 0x80 };
    let version_is = version.trim_start_matches('v').parse().ok();
    if values.get("op") != Some(&expected) || values.get("version").copied() != version_is {
        return Err(format!("operation {:?}", values.get("op")));
    }
    Ok(())
}

/// In the example of a ledger row, each number is its place: the words stand as they are named.
fn check_row(values: &Values) -> Result<(), String> {
    if !values.contains_key("offered") {
        return Ok(());
    }
    let row = crate::examples::ledger_row();
    for (name, value) in [
        ("service", row.service),
        ("offered", row.offered),
        ("accepted", row.accepted),
        ("folded", row.folded),
        ("dropped", row.dropped),
        ("repeated", row.repeated),
        ("redacted", row.redacted),
        ("lost_by_client", row.lost_by_client),
        ("kept", row.kept),
        ("events_left", row.events_left),
        ("bytes_left", row.bytes_left),
    ] {
        expect(values, name, value)?;
    }
    for (reason, name) in nexus_wire::REASONS {
        expect(values, &format!("refused_{name}"), row.refused[reason.index()])?;
    }
    Ok(())
}

fn expect(values: &Values, name: &str, value: u64) -> Result<(), String> {
    match values.get(name) {
        Some(found) if *found == u128::from(value) => Ok(()),
        found => Err(format!("{name} is {found:?} instead of {value}")),
    }
}

impl Walk<'_> {
    fn layout(&mut self, layout: &str) -> Result<(), String> {
        let mut rest = layout.trim();
        while !rest.is_empty() {
            rest = match rest.strip_prefix('[') {
                Some(group) => self.repeated(group)?,
                None => self.single(rest)?,
            }
            .trim_start();
        }
        Ok(())
    }

    /// `count: what stands count times]`, or `count+1: ..]`; gives what is behind it.
    fn repeated<'l>(&mut self, group: &'l str) -> Result<&'l str, String> {
        let (group, behind) = group.split_once(']').ok_or("no end of a group")?;
        let (count, repeated) = group.split_once(':').ok_or("no count")?;
        let (count, more) = match count.strip_suffix("+1") {
            Some(count) => (count, 1),
            None => (count, 0),
        };
        for _ in 0..self.value(count)? + more {
            self.layout(repeated)?;
        }
        Ok(behind)
    }

    /// One word; gives what is behind it.
    fn single<'l>(&mut self, layout: &'l str) -> Result<&'l str, String> {
        let (word, behind) = layout.split_once(' ').unwrap_or((layout, ""));
        if let Some(name) = word.strip_prefix('<') {
            self.named(name.trim_end_matches('>'))?;
        } else if let Some((name, kind)) = word.split_once(':') {
            let value = self.integer(kind)?;
            self.values.insert(name.to_owned(), value);
        } else {
            let len = self.value(&format!("{word}_len"))?;
            self.take(usize::try_from(len).map_err(|_| "too long")?)?;
        }
        Ok(behind)
    }

    fn named(&mut self, name: &str) -> Result<(), String> {
        let name = match name.split_once(".{") {
            Some((union, tag)) => format!("{union}.{}", self.value(tag.trim_end_matches('}'))?),
            None => name.to_owned(),
        };
        let layout = self.page.layouts.get(&name).ok_or(format!("no layout {name}"))?;
        self.layout(layout)
    }

    fn integer(&mut self, kind: &str) -> Result<u128, String> {
        let bytes = match kind {
            "u8" => 1,
            "u16" => 2,
            "u32" => 4,
            "u64" | "i64" => 8,
            "i128" => 16,
            other => return Err(format!("no such integer: {other}")),
        };
        let bytes = self.take(bytes)?;
        Ok(bytes.iter().rev().fold(0, |value, byte| (value << 8) | u128::from(*byte)))
    }

    fn take(&mut self, len: usize) -> Result<&[u8], String> {
        let (front, rest) =
            self.rest.split_at_checked(len).ok_or("fewer bytes than the layout says")?;
        self.rest = rest;
        Ok(front)
    }

    fn value(&self, name: &str) -> Result<u128, String> {
        self.values.get(name).copied().ok_or(format!("no number {name}"))
    }
}
