//! What the tokens of a Rust file tell, the insides of macros and of macro definitions included.

use proc_macro2::{Delimiter, Group, Spacing, TokenStream, TokenTree};

/// Something at a line, numbered from 1.
pub(crate) struct At<T> {
    pub(crate) line: usize,
    pub(crate) what: T,
}

/// All that was found in one file.
#[derive(Default)]
pub(crate) struct Tokens {
    pub(crate) attributes: Vec<At<Attribute>>,
    /// Every word, but for lifetimes and attributes.
    pub(crate) idents: Vec<At<String>>,
    /// `a::b::c`, also one for each leaf of a `use` tree.
    pub(crate) paths: Vec<At<Vec<String>>>,
    /// Names of called methods.
    pub(crate) calls: Vec<At<String>>,
    /// Names of called macros, without the path before them, and what they are called with.
    pub(crate) macros: Vec<At<(String, TokenStream)>>,
    pub(crate) unsafes: Vec<At<Unsafe>>,
    pub(crate) statics: Vec<At<Static>>,
    pub(crate) strings: Vec<At<String>>,
    /// Byte strings, and bytes that follow one another in a list.
    pub(crate) bytes: Vec<At<Vec<u8>>>,
}

/// `#[path args]` or `#![path args]`.
pub(crate) struct Attribute {
    pub(crate) path: String,
    pub(crate) is_inner: bool,
    pub(crate) args: TokenStream,
}

/// Where the word `unsafe` stands.
#[derive(PartialEq, Eq, Debug)]
pub(crate) enum Unsafe {
    /// Also a block of foreign declarations.
    Block,
    /// With the words between `impl` and `for`.
    Impl(Vec<String>),
    /// A function, a trait, a function pointer's type, an attribute.
    Declaration,
}

/// A `static` item.
pub(crate) struct Static {
    pub(crate) is_mut: bool,
    /// The words of its type.
    pub(crate) of: Vec<String>,
}

/// Reads a file.
pub(crate) fn read(stream: TokenStream) -> Tokens {
    let mut tokens = Tokens::default();
    tokens.walk(stream);
    tokens
}

/// The parts of a list that is separated by commas.
pub(crate) fn split_commas(stream: TokenStream) -> Vec<TokenStream> {
    let tokens = stream.into_iter().collect::<Vec<_>>();
    let parts = tokens.split(|token| is_punct(Some(token), ','));
    let parts = parts.filter(|part| !part.is_empty());
    parts.map(|part| part.iter().cloned().collect()).collect()
}

/// All words of a stream, at any depth.
pub(crate) fn words(stream: TokenStream) -> Vec<String> {
    let mut out = Vec::new();
    for token in stream {
        match token {
            TokenTree::Ident(word) => out.push(word.to_string()),
            TokenTree::Group(group) => out.extend(words(group.stream())),
            TokenTree::Punct(_) | TokenTree::Literal(_) => {}
        }
    }
    out
}

impl Tokens {
    fn walk(&mut self, stream: TokenStream) {
        let all = stream.into_iter().collect::<Vec<_>>();
        let mut at = 0;
        while let Some((first, rest)) = all.get(at..).and_then(<[_]>::split_first) {
            at += match first {
                TokenTree::Group(group) => {
                    self.byte_list(group);
                    self.walk(group.stream());
                    1
                }
                TokenTree::Punct(punct) => match punct.as_char() {
                    '#' => 1 + self.attribute(rest),
                    '\'' => 2,
                    // Not a call but a range, whose second point is skipped as well.
                    '.' if punct.spacing() == Spacing::Joint => 2,
                    '.' => 1 + self.call(rest),
                    _ => 1,
                },
                TokenTree::Literal(literal) => {
                    self.literal(literal);
                    1
                }
                TokenTree::Ident(word) => 1 + self.word(word, rest),
            };
        }
    }

    /// How many tokens of `rest` belong to the attribute that begins with the `#` before them.
    fn attribute(&mut self, rest: &[TokenTree]) -> usize {
        let is_inner = is_punct(rest.first(), '!');
        let skipped = usize::from(is_inner);
        let Some(TokenTree::Group(group)) = rest.get(skipped) else { return skipped };
        let mut inside = group.stream().into_iter();
        if let Some(TokenTree::Ident(path)) = inside.next() {
            let args = match inside.next() {
                Some(TokenTree::Group(args)) => args.stream(),
                _ => TokenStream::new(),
            };
            if path == "unsafe" {
                self.unsafes.push(at(&path, Unsafe::Declaration));
            }
            let what = Attribute { path: path.to_string(), is_inner, args };
            self.attributes.push(At { line: path.span().start().line, what });
        }
        skipped + 1
    }

    fn call(&mut self, rest: &[TokenTree]) -> usize {
        let Some(TokenTree::Ident(name)) = rest.first() else { return 0 };
        let called = matches!(rest.get(1), Some(TokenTree::Group(group))
            if group.delimiter() == Delimiter::Parenthesis);
        if called || path_goes_on(rest.get(1..).unwrap_or_default()) {
            self.calls.push(at(name, name.to_string()));
        }
        self.idents.push(at(name, name.to_string()));
        1
    }

    /// How many tokens of `rest` belong to what begins with `word`.
    fn word(&mut self, word: &proc_macro2::Ident, rest: &[TokenTree]) -> usize {
        self.idents.push(at(word, word.to_string()));
        match word.to_string().as_str() {
            "unsafe" => self.unsafes.push(at(word, unsafe_kind(rest))),
            "static" => self.statics.extend(static_item(rest).map(|what| at(word, what))),
            _ => {}
        }
        let mut path = vec![word.to_string()];
        let taken = self.path(&mut path, rest);
        let behind = rest.get(taken..).unwrap_or_default();
        if let (true, Some(TokenTree::Group(args)), Some(name)) =
            (is_punct(behind.first(), '!'), behind.get(1), path.last())
        {
            self.macros.push(at(word, (name.clone(), args.stream())));
        }
        if taken > 0 {
            self.paths.push(at(word, path));
        }
        taken
    }

    /// Follows `::` after a first segment.
    fn path(&mut self, path: &mut Vec<String>, rest: &[TokenTree]) -> usize {
        let mut taken = 0;
        while let Some(rest) = rest.get(taken..).filter(|rest| path_goes_on(rest)) {
            match rest.get(2) {
                Some(TokenTree::Ident(next)) => {
                    self.idents.push(at(next, next.to_string()));
                    path.push(next.to_string());
                    taken += 3;
                }
                Some(TokenTree::Group(tree)) if tree.delimiter() == Delimiter::Brace => {
                    self.use_tree(path, tree);
                    return taken + 3;
                }
                _ => return taken + 2,
            }
        }
        taken
    }

    fn use_tree(&mut self, prefix: &[String], tree: &Group) {
        for part in split_commas(tree.stream()) {
            let part = part.into_iter().collect::<Vec<_>>();
            let Some((TokenTree::Ident(first), rest)) = part.split_first() else { continue };
            self.idents.push(at(first, first.to_string()));
            let mut path = prefix.to_vec();
            path.push(first.to_string());
            self.path(&mut path, rest);
            self.paths.push(at(first, path));
        }
    }

    fn literal(&mut self, literal: &proc_macro2::Literal) {
        let line = literal.span().start().line;
        match syn::Lit::new(literal.clone()) {
            syn::Lit::Str(text) => self.strings.push(At { line, what: text.value() }),
            syn::Lit::ByteStr(bytes) => self.bytes.push(At { line, what: bytes.value() }),
            _ => {}
        }
    }

    /// `b'a', b'b'` at the beginning of a list.
    fn byte_list(&mut self, list: &Group) {
        let mut bytes = Vec::new();
        for part in split_commas(list.stream()) {
            let mut part = part.into_iter();
            let Some(TokenTree::Literal(literal)) = part.next() else { break };
            let syn::Lit::Byte(byte) = syn::Lit::new(literal) else { break };
            bytes.push(byte.value());
        }
        let line = list.span().start().line;
        self.bytes
            .extend(Some(bytes).filter(|bytes| bytes.len() > 1).map(|what| At { line, what }));
    }
}

fn at<T>(word: &proc_macro2::Ident, what: T) -> At<T> {
    At { line: word.span().start().line, what }
}

fn is_punct(token: Option<&TokenTree>, c: char) -> bool {
    matches!(token, Some(TokenTree::Punct(punct)) if punct.as_char() == c)
}

fn path_goes_on(rest: &[TokenTree]) -> bool {
    is_punct(rest.first(), ':') && is_punct(rest.get(1), ':')
}

fn unsafe_kind(rest: &[TokenTree]) -> Unsafe {
    let is_extern = matches!(rest.first(), Some(TokenTree::Ident(word)) if word == "extern");
    let after = rest.iter().skip(usize::from(is_extern));
    let mut after = after.skip_while(|token| matches!(token, TokenTree::Literal(_)));
    match after.next() {
        Some(TokenTree::Group(_)) => Unsafe::Block,
        Some(TokenTree::Ident(word)) if word == "impl" => {
            let header = rest
                .iter()
                .take_while(|token| !matches!(token, TokenTree::Ident(word) if *word == "for"));
            Unsafe::Impl(words(header.skip(1).cloned().collect()))
        }
        _ => Unsafe::Declaration,
    }
}

/// `static [mut] NAME: TYPE =`; nothing for a closure.
fn static_item(rest: &[TokenTree]) -> Option<Static> {
    let colon = rest.iter().position(|token| is_punct(Some(token), ':'))?;
    let (before, after) = rest.split_at(colon);
    if before.iter().any(|token| matches!(token, TokenTree::Group(_))) {
        return None;
    }
    let is_mut = words(before.iter().cloned().collect()).first().is_some_and(|word| word == "mut");
    let of =
        after.iter().take_while(|token| !is_punct(Some(token), '=') && !is_punct(Some(token), ';'));
    Some(Static { is_mut, of: words(of.cloned().collect()) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Tokens {
        read(text.parse().unwrap())
    }

    fn whats<T>(all: Vec<At<T>>) -> Vec<T> {
        all.into_iter().map(|at| at.what).collect()
    }

    #[test]
    fn a_use_tree_gives_one_path_a_leaf() {
        let paths = whats(of("use std::{time::Instant, net::{self, TcpStream}};").paths);
        let paths = paths.iter().map(|path| path.join("::")).collect::<Vec<_>>();
        assert!(paths.contains(&"std::time::Instant".to_owned()), "{paths:?}");
        assert!(paths.contains(&"std::net::TcpStream".to_owned()), "{paths:?}");
    }

    #[test]
    fn calls_are_seen_inside_macros_but_ranges_are_not_calls() {
        assert_eq!(whats(of("assert!(x.unwrap() > 1)").calls), ["unwrap"]);
        assert_eq!(whats(of("x.parse::<u8>()").calls), ["parse"]);
        assert!(of("a..expect(1); x.field; self.0 .1").calls.is_empty());
    }

    #[test]
    fn documentation_is_no_string_and_a_lifetime_is_no_static() {
        let tokens = of("/// SELFTEST: x\nfn a(x: &'static str) { f(\"y\") }");
        assert_eq!(whats(tokens.strings), ["y"]);
        assert!(tokens.statics.is_empty());
    }

    #[test]
    fn every_place_of_unsafe_is_told_apart() {
        let text = "unsafe impl<T: Send> Sync for A<T> {} unsafe fn a() { unsafe { b() } }";
        let words = ["T", "Send", "Sync"].map(str::to_owned).to_vec();
        let expected = [Unsafe::Impl(words), Unsafe::Declaration, Unsafe::Block];
        assert_eq!(whats(of(text).unsafes), expected);
    }

    #[test]
    fn statics_tell_the_words_of_their_type() {
        let statics = whats(of("static mut A: [Mutex<u8>; 2] = x(); static || 1").statics);
        let Some(found) = statics.first() else { panic!("no static found") };
        assert!(found.is_mut && found.of.contains(&"Mutex".to_owned()));
        assert_eq!(statics.len(), 1);
    }
}
