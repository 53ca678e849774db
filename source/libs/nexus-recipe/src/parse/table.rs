//! Reading a table key by key: what is asked for and absent, present and not asked for, or of the
//! wrong kind is an error that goes to the [`Report`]. A stand-in is returned in its place, so that
//! reading goes on to the next error; stand-ins never leave the parser, because a report with
//! errors is no recipe.

use core::ops::RangeInclusive;
use std::collections::BTreeMap;

use nexus_bounded::Nanos;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::errors::RecipeError;
use super::units::Unit;

/// A legal number that was read, for the checks that compare numbers.
#[derive(Clone, Copy)]
pub(super) struct Seen {
    pub(super) number: u64,
    pub(super) unit: Unit,
}

/// What reading has found so far.
pub(super) struct Report<'i> {
    text: &'i str,
    pub(super) errors: Vec<RecipeError>,
    /// Keys that are not there; apart, because they say nothing where the text is no TOML.
    pub(super) missing: Vec<RecipeError>,
    /// Byte offsets of values by key with tables.
    places: BTreeMap<String, usize>,
    /// Legal numbers by key with tables.
    numbers: BTreeMap<String, Seen>,
}

impl<'i> Report<'i> {
    pub(super) fn new(text: &'i str) -> Self {
        Self {
            text,
            errors: Vec::new(),
            missing: Vec::new(),
            places: BTreeMap::new(),
            numbers: BTreeMap::new(),
        }
    }

    /// Notes an error at byte offset `at`.
    pub(super) fn error(&mut self, at: usize, key: impl Into<String>, what: impl Into<String>) {
        let error = self.error_of(at, key.into(), what.into());
        self.errors.push(error);
    }

    fn error_of(&self, at: usize, key: String, what: String) -> RecipeError {
        let (line, column) = self.line_and_column(at);
        RecipeError { line, column, key, what }
    }

    /// Notes an error at the value of `key`.
    pub(super) fn error_at(&mut self, key: &str, what: impl Into<String>) {
        self.error(self.offset(key), key, what);
    }

    /// Whether something is wrong with `key` already.
    pub(super) fn is_wrong(&self, key: &str) -> bool {
        self.errors.iter().chain(&self.missing).any(|error| error.key == key)
    }

    /// Line of the value of `key`, from 1.
    pub(super) fn line(&self, key: &str) -> u32 {
        self.line_and_column(self.offset(key)).0
    }

    fn offset(&self, key: &str) -> usize {
        self.places.get(key).copied().unwrap_or(0)
    }

    /// The legal number under `key`; `None` if there is none, which then is an error already.
    pub(super) fn number(&self, key: &str) -> Option<Seen> {
        self.numbers.get(key).copied()
    }

    /// Line and column of byte offset `at`, both from 1.
    pub(super) fn line_and_column(&self, at: usize) -> (u32, u32) {
        let before = self.text.get(..at).unwrap_or(self.text);
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        (u32::try_from(line).unwrap_or(u32::MAX), u32::try_from(column).unwrap_or(u32::MAX))
    }
}

/// A table that is being read.
pub(super) struct Table<'r, 'i> {
    pub(super) report: &'r mut Report<'i>,
    /// The table's own key, with a dot behind it unless it is the whole text.
    path: String,
    /// Byte offset where missing keys are reported.
    at: usize,
    /// What has not been asked for yet; `None` if the table is missing, which then is an error
    /// already.
    entries: Option<DeTable<'i>>,
}

/// Reads the whole text as a table.
pub(super) fn read_text<'i, T>(
    report: &mut Report<'i>,
    entries: DeTable<'i>,
    read: impl FnOnce(&mut Table<'_, 'i>) -> T,
) -> T {
    Table { report, path: String::new(), at: 0, entries: Some(entries) }.read(read)
}

impl<'i> Table<'_, 'i> {
    fn read<T>(mut self, read: impl FnOnce(&mut Self) -> T) -> T {
        let out = read(&mut self);
        for (key, _) in self.entries.take().unwrap_or_default() {
            let path = self.path_of(key.get_ref());
            let what = "unknown key; remove it or correct its name";
            self.report.error(key.span().start, path, what);
        }
        out
    }

    /// The full name of a key of this table.
    pub(super) fn path_of(&self, key: &str) -> String {
        format!("{}{key}", self.path)
    }

    /// Notes an error about a key of this table.
    pub(super) fn error(&mut self, at: usize, key: &str, what: impl Into<String>) {
        let path = self.path_of(key);
        self.report.error(at, path, what);
    }

    /// The value of `key`; its absence is an error.
    pub(super) fn take(&mut self, key: &str) -> Option<Spanned<DeValue<'i>>> {
        let value = self.entries.as_mut()?.remove(key);
        let path = self.path_of(key);
        if let Some(value) = &value {
            self.report.places.insert(path, value.span().start);
        } else {
            let what = "this key is missing; write it, nothing has a default".to_owned();
            let missing = self.report.error_of(self.at, path, what);
            self.report.missing.push(missing);
        }
        value
    }

    fn number(&mut self, key: &str, range: RangeInclusive<u64>, unit: Unit) -> u64 {
        let (least, most) = (*range.start(), *range.end());
        let Some(value) = self.take(key) else { return least };
        let at = value.span().start;
        match unit.read(value.get_ref()) {
            Err(what) => self.error(at, key, what),
            Ok(number) if !range.contains(&number) => {
                let [number, least, most] = [number, least, most].map(|n| unit.show(n));
                let what = format!("{number} is impossible; choose {least} to {most}");
                self.error(at, key, what);
            }
            Ok(number) => {
                self.report.numbers.insert(self.path_of(key), Seen { number, unit });
                return number;
            }
        }
        least
    }

    /// A number of things within `range`.
    pub(super) fn count(&mut self, key: &str, range: RangeInclusive<u32>) -> u32 {
        self.number_u32(key, range, Unit::Count)
    }

    /// A number of bytes within `range`.
    pub(super) fn size(&mut self, key: &str, range: RangeInclusive<u32>) -> u32 {
        self.number_u32(key, range, Unit::Size)
    }

    fn number_u32(&mut self, key: &str, range: RangeInclusive<u32>, unit: Unit) -> u32 {
        let range = u64::from(*range.start())..=u64::from(*range.end());
        u32::try_from(self.number(key, range, unit)).unwrap_or(u32::MAX)
    }

    /// A length of time within `range`.
    pub(super) fn duration(&mut self, key: &str, range: RangeInclusive<Nanos>) -> Nanos {
        Nanos(self.number(key, range.start().0..=range.end().0, Unit::Duration))
    }

    /// A string for which `legal` finds nothing wrong.
    pub(super) fn text(&mut self, key: &str, legal: impl Fn(&str) -> Result<(), String>) -> String {
        self.take(key).map(|value| self.as_text(key, &value, &legal)).unwrap_or_default()
    }

    fn as_text(
        &mut self,
        key: &str,
        value: &Spanned<DeValue<'i>>,
        legal: &impl Fn(&str) -> Result<(), String>,
    ) -> String {
        let checked = match value.get_ref() {
            DeValue::String(text) => legal(text).map(|()| text.to_string()),
            _ => Err("write a string in quotes".to_owned()),
        };
        checked.unwrap_or_else(|what| {
            self.error(value.span().start, key, what);
            String::new()
        })
    }

    /// The elements of an array with their places.
    fn elements(&mut self, key: &str, form: &str) -> Vec<Spanned<DeValue<'i>>> {
        let Some(value) = self.take(key) else { return Vec::new() };
        let at = value.span().start;
        let DeValue::Array(array) = value.into_inner() else {
            self.error(at, key, format!("write {form}"));
            return Vec::new();
        };
        array.into_iter().collect()
    }

    /// Different strings for each of which `legal` finds nothing wrong.
    pub(super) fn texts(
        &mut self,
        key: &str,
        legal: impl Fn(&str) -> Result<(), String>,
    ) -> Box<[String]> {
        let mut texts = Vec::new();
        for element in self.elements(key, "an array of strings, such as [\"a\", \"b\"]") {
            let path = self.path_of(&format!("{key}[{}]", texts.len()));
            self.report.places.insert(path, element.span().start);
            let text = self.as_text(key, &element, &legal);
            if !text.is_empty() && texts.contains(&text) {
                let what = format!("`{text}` stands here twice; remove one");
                self.error(element.span().start, key, what);
            }
            texts.push(text);
        }
        texts.into()
    }

    /// Integers with their places.
    pub(super) fn integers(&mut self, key: &str) -> Vec<(u64, usize)> {
        let mut integers = Vec::new();
        for element in self.elements(key, "an array of integers, such as [1, 2, 4]") {
            let at = element.span().start;
            match Unit::Count.read(element.get_ref()) {
                Ok(number) => integers.push((number, at)),
                Err(what) => self.error(at, key, what),
            }
        }
        integers
    }

    /// The table under `key`.
    pub(super) fn table<T>(&mut self, key: &str, read: impl FnOnce(&mut Table<'_, 'i>) -> T) -> T {
        let value = self.take(key);
        let at = value.as_ref().map_or(self.at, |value| value.span().start);
        self.table_in(key, at, value.map(Spanned::into_inner), read)
    }

    /// The table that `value` must be; `None`: its absence is an error already.
    pub(super) fn table_in<T>(
        &mut self,
        key: &str,
        at: usize,
        value: Option<DeValue<'i>>,
        read: impl FnOnce(&mut Table<'_, 'i>) -> T,
    ) -> T {
        let entries = match value {
            Some(DeValue::Table(entries)) => Some(entries),
            Some(_) => {
                self.error(at, key, "write a table");
                None
            }
            None => None,
        };
        let path = format!("{}.", self.path_of(key));
        Table { report: self.report, path, at, entries }.read(read)
    }

    /// The tables under `[[key]]`.
    pub(super) fn tables<T>(
        &mut self,
        key: &str,
        read: impl Fn(&mut Table<'_, 'i>) -> T,
    ) -> Vec<T> {
        let elements = self.elements(key, &format!("tables, each headed [[{key}]]"));
        let mut out = Vec::new();
        for (index, element) in elements.into_iter().enumerate() {
            let (at, value) = (element.span().start, element.into_inner());
            out.push(self.table_in(&format!("{key}[{index}]"), at, Some(value), &read));
        }
        out
    }
}
