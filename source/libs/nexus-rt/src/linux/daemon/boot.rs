//! The boot number: which start of a daemon this is.

use std::fs;
use std::io;
use std::path::Path;

/// Counts a start in the file `path` and gives its number, from 1 and above `elsewhere`, the last
/// one that is known in another place. The file is replaced as a whole.
///
/// # Errors
/// A file that holds no number is reported, not guessed around: a number given twice would make old
/// cursors and sessions look valid.
pub(super) fn count_start(path: &Path, elsewhere: u32) -> io::Result<u32> {
    let last = last_start(path)?.max(elsewhere);
    let boot = last.checked_add(1).ok_or_else(|| corrupt(path))?;
    let fresh = path.with_extension("boot.new");
    fs::write(&fresh, format!("{boot}\n"))?;
    fs::File::open(&fresh)?.sync_all()?;
    fs::rename(&fresh, path)?;
    Ok(boot)
}

/// The number that the file `path` holds; 0 if there is no such file.
///
/// # Errors
/// As [`count_start`].
pub(super) fn last_start(path: &Path) -> io::Result<u32> {
    match fs::read_to_string(path) {
        Ok(text) => parse(&text).ok_or_else(|| corrupt(path)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(0),
        Err(error) => Err(error),
    }
}

fn parse(text: &str) -> Option<u32> {
    text.strip_suffix('\n')?.parse().ok()
}

fn corrupt(path: &Path) -> io::Error {
    let why = format!(
        "{}: does not hold the number of the last start; remove it to begin at 1",
        path.display()
    );
    io::Error::new(io::ErrorKind::InvalidData, why)
}
