//! Fields that are found to be right at first sight: whatever is not, others look at closer.

use nexus_bounded::eights::{equal, is_ascii, lowest, word_at, word_in};
use nexus_wire::FieldBounds;

use super::finder::Finder;
use super::known::{Place, START, Short, WINDOW};
use super::values::Value;

/// How far fields were found to be in order.
struct Walk {
    /// Where the next one begins.
    at: usize,
    /// The place of the key before it.
    key: u8,
    /// Fields that may still come.
    left: usize,
    /// All bits of the bytes that were taken for ASCII.
    all: u64,
}

impl Finder {
    /// Whether fields are canonical and within `bounds`, and have nothing secret in them, as far as
    /// that can be said quickly: all keys are known and differ early, all values are ASCII.
    #[inline(always)]
    pub(super) fn knows(&mut self, fields: &[u8], bounds: &FieldBounds) -> bool {
        if bounds.key_bytes < Short::KEY_BYTES_MAX || bounds.value_bytes < Value::BYTES_MAX {
            return false;
        }
        let start = Walk { at: 0, key: START, left: bounds.count, all: 0 };
        let mut fresh = None;
        let walk = self.known_from(start, fields, bounds.value_bytes, &mut fresh);
        if let Some(value) = fresh {
            self.values.keep(value);
        }
        if walk.at == fields.len() {
            return is_ascii(walk.all);
        }
        self.knows_rest(walk, fields, bounds.value_bytes)
    }

    #[inline(never)]
    fn knows_rest(&mut self, start: Walk, fields: &[u8], bytes_max: usize) -> bool {
        let mut walk = start;
        while walk.at != fields.len() {
            match self.step(walk, fields, bytes_max) {
                Some(next) => walk = self.known_from(next, fields, bytes_max, &mut None),
                None => return false,
            }
        }
        is_ascii(walk.all)
    }

    /// Goes on as long as keys come as they came last, with values that need no closer look.
    /// `fresh` becomes the last one that was not known and is clean.
    #[inline(always)]
    fn known_from(
        &self,
        walk: Walk,
        fields: &[u8],
        bytes_max: usize,
        fresh: &mut Option<Value>,
    ) -> Walk {
        let Walk { at, key, mut left, mut all } = walk;
        let mut tail = [0; 2 * WINDOW];
        copy_end(fields, &mut tail);
        let (mut rest, mut behind) = (fields.get(at..).unwrap_or_default(), 0);
        let mut before = self.known.at(key);
        loop {
            let Some(window) = rest.first_chunk::<WINDOW>().filter(|_| rest.len() > WINDOW) else {
                if behind > 0 {
                    break;
                }
                rest = tail.get(WINDOW - rest.len()..).unwrap_or_default();
                behind = WINDOW;
                continue;
            };
            let place = self.known.at(before.next);
            if left == 0 || !place.begins(window) {
                break;
            }
            let start = place.value_at();
            let word = word_in(window, start);
            let newline = equal(word, b'\n') & place.ends_of_short;
            let end = if newline != 0 {
                start + lowest(newline)
            } else {
                match self.end_of_value(place, rest, bytes_max, fresh) {
                    Some(end) => end,
                    None => break,
                }
            };
            all |= word;
            left -= 1;
            before = place;
            match rest.get(end + 1..) {
                Some(next) => rest = next,
                None => break,
            }
        }
        Walk { at: fields.len() + behind - rest.len(), key: before.own, left, all }
    }

    /// Where the value ends in a text that begins with a key, if it was found clean before, is a
    /// number, or is clean by a quick look. Not inlined: shorter values need the registers.
    #[inline(never)]
    fn end_of_value(
        &self,
        key: &Place,
        text: &[u8],
        bytes_max: usize,
        fresh: &mut Option<Value>,
    ) -> Option<usize> {
        let found = Value::within(text.first_chunk()?, key.value_at());
        match found {
            Some((value, end)) if key.is_plain() && self.is_known(value) => Some(end),
            _ => self.end_of_new_value(key, text, bytes_max).inspect(|_| {
                if key.is_plain() {
                    *fresh = found.map(|(value, _)| value);
                }
            }),
        }
    }

    #[inline(always)]
    fn is_known(&self, value: Value) -> bool {
        self.values.has(value) || self.numbers_are_clean && value.is_number()
    }

    #[inline(never)]
    fn end_of_new_value(&self, key: &Place, text: &[u8], bytes_max: usize) -> Option<usize> {
        let end = end_of_line(text, key.value_at())?;
        let value = text.get(key.value_at()..end)?;
        let is_clean = key.is_plain() && self.is_plain(value)
            || key.is_allowed() && !self.anchors.any_in(value);
        (is_clean && value.len() <= bytes_max).then_some(end)
    }

    /// Goes on by one field that has to be looked at, if it may stand there.
    #[inline(never)]
    fn step(&mut self, walk: Walk, fields: &[u8], bytes_max: usize) -> Option<Walk> {
        let left = walk.left.checked_sub(1)?;
        let key = self.known.find(walk.key, fields, walk.at)?;
        let place = *self.known.at(key);
        let start = walk.at + place.value_at();
        let end = end_of_line(fields, start)?;
        let value = fields.get(start..end)?;
        let may_stand = place.judged.is_legal
            && value.len() <= bytes_max
            && self.value_is_clean(place.judged, value);
        if !may_stand {
            return None;
        }
        if place.is_plain()
            && let Some(value) = Value::of(value)
        {
            self.values.keep(value);
        }
        Some(Walk { at: end + 1, key, left, all: walk.all })
    }
}

/// Copies the last bytes of a text to the first half of `tail`, so that it ends where that ends.
#[inline(always)]
fn copy_end(text: &[u8], tail: &mut [u8; 2 * WINDOW]) {
    if let (Some(room), Some(last)) = (tail.first_chunk_mut::<WINDOW>(), text.last_chunk()) {
        *room = *last;
    } else if let Some(room) = tail.get_mut(WINDOW - text.len()..WINDOW) {
        room.copy_from_slice(text);
    }
}

/// Where the line ends that begins before `from`, if it is ASCII.
#[inline]
fn end_of_line(text: &[u8], from: usize) -> Option<usize> {
    let mut at = from;
    while at < text.len() {
        let word = word_at(text, at);
        if !is_ascii(word) {
            return None;
        }
        let newline = equal(word, b'\n');
        if newline != 0 {
            return Some(at + lowest(newline));
        }
        at += 8;
    }
    None
}
