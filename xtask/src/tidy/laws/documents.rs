use super::Law;
use crate::tidy::report::Report;
use crate::tidy::tree::Tree;
use crate::tidy::workspace::Workspace;

pub(crate) const LAW: Law = Law {
    name: "documents",
    says: "every relative link, and every path that a document names, leads somewhere",
    check,
};

fn check(workspace: &Workspace, report: &mut Report) {
    let tree = &workspace.tree;
    for (path, text) in tree.iter().filter(|(path, _)| path.ends_with(".md")) {
        let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
        for (line, number) in text.lines().zip(1..) {
            for target in links(line).filter(|target| !leads(tree, folder, target)) {
                report.fail(path, number, format!("a link to `{target}`"), "mend or delete it");
            }
            for named in named_paths(tree, line).filter(|named| !tree.has(named)) {
                let what = format!("`{named}` does not exist");
                report.fail(path, number, what, "name it as it stands in the tree");
            }
        }
    }
}

/// The targets of `[text](target)` that lie in the tree.
fn links(line: &str) -> impl Iterator<Item = &str> {
    let targets = line.split("](").skip(1).filter_map(|rest| rest.split([')', ' ']).next());
    let targets = targets.filter_map(|target| target.split('#').next());
    targets.filter(|target| !target.is_empty() && !target.contains("://"))
}

fn leads(tree: &Tree, folder: &str, target: &str) -> bool {
    let mut parts = folder.split('/').filter(|part| !part.is_empty()).collect::<Vec<_>>();
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.pop().is_none() => return false,
            ".." => {}
            part => parts.push(part),
        }
    }
    tree.has(&parts.join("/"))
}

/// Words in backticks, or after `./`, that begin with a folder at the top of the tree.
fn named_paths<'a>(tree: &'a Tree, line: &'a str) -> impl Iterator<Item = &'a str> {
    let quoted = line.split('`').skip(1).step_by(2);
    let started = line.split_whitespace().filter(|word| word.starts_with("./"));
    let words = quoted.filter(|word| word.contains('/')).chain(started);
    let words = words.map(|word| word.trim_start_matches("./").trim_end_matches([',', '.', '`']));
    words.filter(|word| word.bytes().all(is_path_byte)).filter(|word| {
        word.split_once('/').is_some_and(|(top, _)| tree.has(top) && top != "target")
    })
}

fn is_path_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"/._-".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::testing::lines;

    fn broken(path: &str, text: &str) -> Vec<usize> {
        let there = [("docs/wire.md", ""), ("docs/adr/0001.md", ""), ("scripts/test.sh", "")];
        lines(&LAW, &[&there[..], &[(path, text)]].concat())
    }

    #[test]
    fn a_link_that_leads_nowhere_is_refused() {
        assert_eq!(broken("README.md", "ok\n[a](docs/none.md)"), [2]);
        assert_eq!(broken("docs/a.md", "[a](docs/wire.md)"), [1]);
        assert_eq!(broken("docs/a.md", "[a](wire.md) [b](../../wire.md)"), [1]);
    }

    #[test]
    fn a_link_that_leads_somewhere_is_accepted() {
        assert_eq!(broken("README.md", "[a](docs/wire.md#sizes), [b](docs/) [c](#here)"), [0; 0]);
        assert_eq!(broken("docs/adr/b.md", "[a](../wire.md) [b](https://example.org/x)"), [0; 0]);
    }

    #[test]
    fn a_path_that_does_not_exist_is_refused() {
        assert_eq!(broken("README.md", "see `docs/none.md`"), [1]);
        assert_eq!(broken("README.md", "    ./scripts/none.sh --long"), [1]);
        assert_eq!(broken("docs/a.md", "see `scripts/none.sh`"), [1]);
    }

    #[test]
    fn paths_of_the_tree_and_words_that_are_no_paths_are_accepted() {
        let text =
            "`docs/wire.md` `docs/adr/` `DIR/logd.sock` `n/m` `docs/*.md`\n./scripts/test.sh";
        assert_eq!(broken("README.md", text), [0; 0]);
    }
}
