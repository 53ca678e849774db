use core::fmt;

const MARK: &str = "…";

/// Takes formatted text of any length, keeps what fits into `N` bytes, and knows what did not.
pub(crate) struct CutText<const N: usize> {
    bytes: [u8; N],
    len: usize,
    cut: usize,
}

impl<const N: usize> CutText<N> {
    /// `text`, cut on a boundary between characters and marked with `…` if it is longer.
    pub(crate) fn format(text: fmt::Arguments<'_>) -> Self {
        let mut out = Self { bytes: [0; N], len: 0, cut: 0 };
        // An error of somebody's `Display` leaves what it has written.
        if fmt::write(&mut out, text).is_err() {
            out.cut += 1;
        }
        out.mark();
        out
    }

    pub(crate) fn as_str(&self) -> &str {
        let bytes = self.bytes.get(..self.len).unwrap_or_default();
        core::str::from_utf8(bytes).unwrap_or_default()
    }

    /// Bytes that were left out.
    pub(crate) const fn cut(&self) -> usize {
        self.cut
    }

    fn mark(&mut self) {
        if self.cut == 0 {
            return;
        }
        let kept = boundary(self.as_str(), N - MARK.len());
        self.cut += self.len - kept;
        self.len = kept;
        self.append(MARK);
    }

    fn append(&mut self, text: &str) {
        if let Some(target) = self.bytes.get_mut(self.len..self.len + text.len()) {
            target.copy_from_slice(text.as_bytes());
            self.len += text.len();
        }
    }
}

impl<const N: usize> fmt::Write for CutText<N> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let room = if self.cut == 0 { N - self.len } else { 0 };
        let (kept, rest) = text.split_at(boundary(text, room));
        self.append(kept);
        self.cut += rest.len();
        Ok(())
    }
}

/// The longest prefix of `text`, in bytes, that is at most `room` and ends between characters.
fn boundary(text: &str, room: usize) -> usize {
    if text.len() <= room {
        return text.len();
    }
    (0..=room).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::String;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_text_is_whole_or_cut_between_characters_and_marked(
            pieces in prop::collection::vec(".{0,12}", 0..6)
        ) {
            let whole: String = pieces.concat();
            let cut = CutText::<16>::format(format_args!("{}{}", pieces.concat(), ""));
            if whole.len() <= 16 {
                prop_assert_eq!((cut.as_str(), cut.cut()), (&*whole, 0));
            } else {
                let kept = cut.as_str().strip_suffix(MARK).unwrap();
                prop_assert!(whole.starts_with(kept) && cut.as_str().len() <= 16);
                prop_assert_eq!(kept.len() + cut.cut(), whole.len());
            }
        }
    }

    #[test]
    fn an_exact_fit_is_not_cut() {
        let cut = CutText::<4>::format(format_args!("ab{}", "cd"));
        assert_eq!((cut.as_str(), cut.cut()), ("abcd", 0));
    }

    #[test]
    fn nothing_is_taken_after_the_cut() {
        let cut = CutText::<8>::format(format_args!("{}{}", "ääääö", "x"));
        assert_eq!((cut.as_str(), cut.cut()), ("ää…", 7));
    }
}
