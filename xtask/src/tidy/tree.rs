use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

/// The text files of the workspace by path from its top, with `/` between folders.
#[derive(Default)]
pub(crate) struct Tree {
    files: BTreeMap<String, String>,
}

impl Tree {
    /// Reads the folder `top`, but neither version control nor build output. Files that are not
    /// UTF-8 are known by name, with no text.
    pub(crate) fn read(top: &Path) -> Result<Self> {
        let mut tree = Self::default();
        tree.add_folder(top, "")?;
        Ok(tree)
    }

    fn add_folder(&mut self, folder: &Path, prefix: &str) -> Result<()> {
        let entries = fs::read_dir(folder).with_context(|| folder.display().to_string())?;
        for entry in entries {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let path = format!("{prefix}{name}");
            // A folder, or in a second work tree a file that names one.
            if name == ".git" {
                continue;
            }
            if entry.file_type()?.is_dir() {
                // Cargo marks its target folders with this file.
                if !entry.path().join("CACHEDIR.TAG").exists() {
                    self.add_folder(&entry.path(), &format!("{path}/"))?;
                }
            } else {
                let bytes = fs::read(entry.path()).with_context(|| path.clone())?;
                self.files.insert(path, String::from_utf8(bytes).unwrap_or_default());
            }
        }
        Ok(())
    }

    /// A made-up tree.
    #[cfg(test)]
    pub(crate) fn of(files: &[(&str, &str)]) -> Self {
        let files = files.iter().map(|&(path, text)| (path.to_owned(), text.to_owned()));
        Self { files: files.collect() }
    }

    /// Path and text of each file.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.files.iter().map(|(path, text)| (path.as_str(), text.as_str()))
    }

    /// The text of a file.
    pub(crate) fn text(&self, path: &str) -> Option<&str> {
        self.files.get(path).map(String::as_str)
    }

    /// Whether there is a file or a folder of that path.
    pub(crate) fn has(&self, path: &str) -> bool {
        let path = path.trim_end_matches('/');
        let folder = format!("{path}/");
        path.is_empty()
            || self.files.contains_key(path)
            || self
                .files
                .range(folder.clone()..)
                .next()
                .is_some_and(|(at, _)| at.starts_with(&folder))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_and_their_folders_are_there_and_beginnings_of_names_are_not() {
        let tree = Tree::of(&[("docs/adr/0001.md", ""), ("docs-old/a.md", "")]);
        for path in ["", "docs", "docs/", "docs/adr", "docs/adr/0001.md", "docs-old"] {
            assert!(tree.has(path), "{path}");
        }
        for path in ["doc", "docs/a", "docs/adr/0001", "docs/adr/0001.md/x"] {
            assert!(!tree.has(path), "{path}");
        }
    }
}
