//! What the laws want to know of a Rust file.
//!
//! Two readings: the syntax tree tells where functions, constants and test code begin and end; the
//! tokens tell everything else, so that the insides of macros are seen as well.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;

use anyhow::Result;
use proc_macro2::{TokenStream, TokenTree};
use syn::spanned::Spanned;
use syn::visit::{self, Visit};

use super::code;
use super::tokens::{self, Tokens};

/// Line ranges, numbered from 1.
type Lines = RangeInclusive<usize>;

/// The facts of one file.
pub(crate) struct Facts {
    /// Items for tests only.
    pub(crate) tests: Vec<Lines>,
    /// Modules in other files, for tests only.
    pub(crate) test_modules: Vec<String>,
    /// Constants: code that the compiler runs.
    pub(crate) constants: Vec<Lines>,
    /// Items that are laid out by hand.
    pub(crate) tables: Vec<Lines>,
    pub(crate) functions: Vec<Function>,
    pub(crate) tokens: Tokens,
    /// Lines of code.
    pub(crate) code: BTreeSet<usize>,
}

/// A function with a body.
pub(crate) struct Function {
    pub(crate) name: String,
    pub(crate) lines: Lines,
    /// Its documentation and attributes, up to its name.
    pub(crate) front: Lines,
}

impl Facts {
    /// Reads a file.
    pub(crate) fn parse(text: &str) -> Result<Self> {
        let stream = text.parse::<TokenStream>().map_err(|e| anyhow::anyhow!("{e}"))?;
        let (tokens, code) = (tokens::read(stream.clone()), code::lines(stream));
        let mut shape = Shape::default();
        let file = syn::parse_file(text)?;
        if file.attrs.iter().any(is_test_only) {
            shape.tests.push(1..=usize::MAX);
        }
        shape.visit_file(&file);
        let Shape { tests, test_modules, constants, tables, functions } = shape;
        Ok(Self { tests, test_modules, constants, tables, functions, tokens, code })
    }

    /// Whether `line` is laid out by hand.
    pub(crate) fn in_table(&self, line: usize) -> bool {
        self.tables.iter().any(|range| range.contains(&line))
    }

    /// Whether an attribute in `line` is that of a single function or constant.
    pub(crate) fn is_of_one_function(&self, line: usize) -> bool {
        self.functions.iter().any(|function| function.front.contains(&line))
            || self.in_constant(line)
    }

    /// Whether the compiler runs the code in `line`.
    pub(crate) fn in_constant(&self, line: usize) -> bool {
        self.constants.iter().any(|range| range.contains(&line))
    }
}

#[derive(Default)]
struct Shape {
    tests: Vec<Lines>,
    test_modules: Vec<String>,
    constants: Vec<Lines>,
    tables: Vec<Lines>,
    functions: Vec<Function>,
}

impl Shape {
    fn function(&mut self, whole: Lines, sig: &syn::Signature, block: &syn::Block) {
        let front = *whole.start()..=*lines(sig).start();
        let lines = *lines(sig).start()..=*lines(block).end();
        self.functions.push(Function { name: sig.ident.to_string(), lines, front });
    }
}

impl<'ast> Visit<'ast> for Shape {
    fn visit_item(&mut self, item: &'ast syn::Item) {
        let is_test = attributes(item).iter().any(is_test_only);
        if is_test {
            self.tests.push(lines(item));
        }
        if attributes(item).iter().any(is_laid_out_by_hand) {
            self.tables.push(lines(item));
        }
        match item {
            syn::Item::Const(item) => self.constants.push(lines(item)),
            syn::Item::Static(item) => self.constants.push(lines(item)),
            syn::Item::Fn(item) => self.function(lines(item), &item.sig, &item.block),
            syn::Item::Mod(module) if module.content.is_none() && is_test => {
                self.test_modules.push(module.ident.to_string());
            }
            _ => {}
        }
        visit::visit_item(self, item);
    }

    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        if item.attrs.iter().any(is_test_only) {
            self.tests.push(lines(item));
        }
        self.function(lines(item), &item.sig, &item.block);
        visit::visit_impl_item_fn(self, item);
    }

    fn visit_trait_item_fn(&mut self, item: &'ast syn::TraitItemFn) {
        if let Some(block) = &item.default {
            self.function(lines(item), &item.sig, block);
        }
        visit::visit_trait_item_fn(self, item);
    }

    fn visit_impl_item_const(&mut self, item: &'ast syn::ImplItemConst) {
        self.constants.push(lines(item));
    }

    fn visit_trait_item_const(&mut self, item: &'ast syn::TraitItemConst) {
        self.constants.push(lines(item));
    }

    fn visit_expr_const(&mut self, item: &'ast syn::ExprConst) {
        self.constants.push(lines(item));
    }
}

fn lines(of: &impl Spanned) -> Lines {
    let span = of.span();
    span.start().line..=span.end().line
}

fn attributes(item: &syn::Item) -> &[syn::Attribute] {
    match item {
        syn::Item::Const(item) => &item.attrs,
        syn::Item::Enum(item) => &item.attrs,
        syn::Item::Fn(item) => &item.attrs,
        syn::Item::Impl(item) => &item.attrs,
        syn::Item::Macro(item) => &item.attrs,
        syn::Item::Mod(item) => &item.attrs,
        syn::Item::Static(item) => &item.attrs,
        syn::Item::Struct(item) => &item.attrs,
        syn::Item::Trait(item) => &item.attrs,
        syn::Item::Type(item) => &item.attrs,
        syn::Item::Use(item) => &item.attrs,
        _ => &[],
    }
}

/// `#[rustfmt::skip]`
fn is_laid_out_by_hand(attribute: &syn::Attribute) -> bool {
    attribute.path().segments.iter().map(|part| &part.ident).eq(["rustfmt", "skip"].iter())
}

/// Whether an attribute keeps its item out of everything but tests.
fn is_test_only(attribute: &syn::Attribute) -> bool {
    match &attribute.meta {
        syn::Meta::Path(path) => path.segments.last().is_some_and(|last| last.ident == "test"),
        syn::Meta::List(list) => list.path.is_ident("cfg") && implies_test(list.tokens.clone()),
        syn::Meta::NameValue(_) => false,
    }
}

/// Whether a `cfg` condition can be true in tests only.
fn implies_test(condition: TokenStream) -> bool {
    let tokens = condition.into_iter().collect::<Vec<_>>();
    match tokens.as_slice() {
        [TokenTree::Ident(word)] => word == "test",
        [TokenTree::Ident(word), TokenTree::Group(group)] => {
            let mut parts = tokens::split_commas(group.stream()).into_iter();
            match word.to_string().as_str() {
                "all" => parts.any(implies_test),
                "any" => parts.len() > 0 && parts.all(implies_test),
                _ => false,
            }
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn test_lines(text: &str) -> Vec<usize> {
        let facts = Facts::parse(text).unwrap();
        (1..=text.lines().count())
            .filter(|line| facts.tests.iter().any(|range| range.contains(line)))
            .collect()
    }

    #[test]
    fn what_compiles_for_tests_only_is_known_as_test_code() {
        assert_eq!(test_lines("fn a() {}\n#[cfg(test)]\nmod t {\n}\nfn b() {}"), [2, 3, 4]);
        assert_eq!(test_lines("#[test]\nfn a() {}\nfn b() {}"), [1, 2]);
        assert_eq!(test_lines("#[cfg(all(unix, test))]\nfn a() {}"), [1, 2]);
        assert_eq!(test_lines("struct S;\nimpl S {\n#[cfg(test)]\nfn a() {}\n}"), [3, 4]);
    }

    #[test]
    fn what_may_run_elsewhere_is_not_test_code() {
        for condition in ["not(test)", "any(test, feature = \"x\")", "feature = \"test\""] {
            let text = format!("#[cfg({condition})]\nfn a() {{}}");
            assert_eq!(test_lines(&text), [0; 0], "{condition}");
        }
    }

    #[test]
    fn functions_are_measured_from_their_signature_to_their_brace() {
        let facts = Facts::parse("/// Doc.\n#[inline]\nfn a(\n  x: u8,\n) {\n}\n").unwrap();
        let measured = facts.functions.iter().map(|function| &function.lines);
        assert_eq!(measured.collect::<Vec<_>>(), [&(3..=6)]);
    }
}
