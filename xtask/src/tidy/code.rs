//! Which lines of a Rust file are code: those where a token stands that is no comment.

use std::collections::BTreeSet;

use proc_macro2::{Group, Span, TokenStream, TokenTree};

/// The lines, numbered from 1.
pub(crate) fn lines(stream: TokenStream) -> BTreeSet<usize> {
    let mut lines = BTreeSet::new();
    add(stream, &mut lines);
    lines
}

fn add(stream: TokenStream, to: &mut BTreeSet<usize>) {
    let all = stream.into_iter().collect::<Vec<_>>();
    let mut rest = all.as_slice();
    while let Some((first, behind)) = rest.split_first() {
        let comment = comment(first, behind);
        if comment == 0 {
            token(first, to);
        }
        rest = behind.get(comment..).unwrap_or_default();
    }
}

fn token(token: &TokenTree, to: &mut BTreeSet<usize>) {
    match token {
        TokenTree::Group(group) => {
            to.extend(covered(group.span_open()).chain(covered(group.span_close())));
            add(group.stream(), to);
        }
        other => to.extend(covered(other.span())),
    }
}

fn covered(span: Span) -> std::ops::RangeInclusive<usize> {
    span.start().line..=span.end().line
}

/// How many tokens behind `first` make, with it, what documentation is turned into.
fn comment(first: &TokenTree, behind: &[TokenTree]) -> usize {
    let is =
        |token: &TokenTree, what| matches!(token, TokenTree::Punct(it) if it.as_char() == what);
    let is_inner = usize::from(behind.first().is_some_and(|token| is(token, '!')));
    match behind.get(is_inner) {
        Some(TokenTree::Group(group)) if is(first, '#') && is_doc(group) => is_inner + 1,
        _ => 0,
    }
}

fn is_doc(group: &Group) -> bool {
    let mut inside = group.stream().into_iter();
    let (word, sign) = (inside.next(), inside.next());
    matches!(word, Some(TokenTree::Ident(word)) if word == "doc")
        && matches!(sign, Some(TokenTree::Punct(sign)) if sign.as_char() == '=')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Vec<usize> {
        lines(text.parse().unwrap()).into_iter().collect()
    }

    #[test]
    fn comments_and_blank_lines_are_no_code() {
        let text = "//! A.\n\n/// B.\n// C.\n/* D\n E */\n/** F\n G */\nfn a() {\n\n}\n";
        assert_eq!(of(text), [9, 11]);
        assert_eq!(of("fn a() {\n    //! A.\n    b(); // C.\n}\n"), [1, 3, 4]);
    }

    #[test]
    fn every_line_of_a_text_is_code_and_so_is_an_attribute() {
        assert_eq!(of("#[doc(hidden)]\nconst A: &str = \"\n// B\n\n\";"), [1, 2, 3, 4, 5]);
    }
}
