//! The image of a machine's disk, looked at from outside.

use std::path::Path;

use nexus_port::{BlockDevice, BlockOutcome, BlockRequest, SECTOR_BYTES};
use statefs::{Found, Limits, blocking};

use crate::support::{Folder, obsctl, text};

/// A disk in memory.
pub(crate) struct Disk(pub(crate) Vec<u8>);

impl BlockDevice for Disk {
    fn sectors(&self) -> u32 {
        (self.0.len() / SECTOR_BYTES) as u32
    }

    fn carry_out(&mut self, request: BlockRequest<'_>) -> BlockOutcome<'_> {
        match request {
            BlockRequest::Read { sector, sectors } => {
                let at = sector as usize * SECTOR_BYTES;
                BlockOutcome::Read(&self.0[at..at + sectors as usize * SECTOR_BYTES])
            }
            BlockRequest::Write { sector, bytes } => {
                let at = sector as usize * SECTOR_BYTES;
                self.0[at..at + bytes.len()].copy_from_slice(bytes);
                BlockOutcome::Done
            }
            BlockRequest::Flush => BlockOutcome::Done,
        }
    }
}

/// A disk with one file of a thousand bytes, and where its first sector lies.
fn disk() -> (Disk, usize) {
    let mut disk = Disk(vec![0; 512 * SECTOR_BYTES]);
    let limits = Limits { sectors: 512, files: 4, open: 2 };
    let mut store = blocking::format(&mut disk, limits, &[]).unwrap();
    let file = store.create("app/raw", 2000).unwrap();
    store.append(file, &[7; 1000]).unwrap();
    blocking::sync(&mut store, &mut disk).unwrap();
    let Ok(Found::Disk(span)) = store.locate(file, 0, 1) else { panic!("a sector of it") };
    let BlockRequest::Read { sector, .. } = span.request() else { panic!("to be read") };
    (disk, sector as usize * SECTOR_BYTES)
}

fn fsck(bytes: &[u8], args: &[&str]) -> (Option<i32>, String, String) {
    let folder = Folder::new("fsck");
    let image = folder.0.join("state.img");
    std::fs::write(&image, bytes).unwrap();
    let output = obsctl(&folder, &[&["fsck", image.to_str().unwrap()], args].concat());
    assert_eq!(std::fs::read(&image).unwrap(), bytes, "it is only looked at");
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

#[test]
fn a_whole_disk_is_whole() {
    let (code, out, _) = fsck(&disk().0.0, &[]);
    assert_eq!(code, Some(0), "{out}");
    assert!(out.contains("1 files with 1000 bytes, of which 0 are lost: 0 losses"), "{out}");
}

#[test]
fn a_damaged_sector_costs_its_bytes_which_are_named() {
    let (mut disk, at) = disk();
    disk.0[at] ^= 1;
    let (code, out, _) = fsck(&disk.0, &[]);
    assert_eq!(code, Some(1), "{out}");
    assert!(out.contains("lost  app/raw: 508 bytes from byte 0 on are lost"), "{out}");

    let (code, out, _) = fsck(&disk.0, &["-o", "json"]);
    let lines = out.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    let lines = lines.collect::<Vec<_>>();
    assert_eq!((code, lines.len()), (Some(1), 2), "{out}");
    assert_eq!((&lines[0]["loss"], &lines[1]["lost_bytes"]), (&true.into(), &508.into()), "{out}");
}

#[test]
fn one_superblock_of_two_is_enough() {
    let (mut disk, _) = disk();
    disk.0[20] ^= 1;
    let (code, out, _) = fsck(&disk.0, &[]);
    assert_eq!(code, Some(0), "{out}");
    assert!(out.contains("flaw  the superblock at the front is damaged"), "{out}");
}

#[test]
fn an_image_that_was_cut_short_is_read_as_far_as_it_goes() {
    let (disk, at) = disk();
    let (code, out, _) = fsck(&disk.0[..at], &[]);
    assert_eq!(code, Some(1), "{out}");
    assert!(out.contains("the device ends after"), "{out}");
}

#[test]
fn what_is_no_store_is_named_and_not_misread() {
    for (bytes, says) in
        [(vec![0; 4096], "not a state disk"), (b"short".to_vec(), "not a state disk")]
    {
        let (code, out, error) = fsck(&bytes, &[]);
        assert_eq!((code, out.as_str()), (Some(2), ""), "{error}");
        assert!(error.contains(says) && error.contains("state.img"), "{error}");
    }
    let folder = Folder::new("fsck");
    let absent = obsctl(&folder, &["fsck", "/nowhere/state.img"]);
    assert_eq!(absent.status.code(), Some(2));
    assert!(!Path::new("/nowhere/state.img").exists());
    assert!(text(&absent.stderr).contains("/nowhere/state.img: cannot be read"));
}

#[test]
fn the_image_may_be_named_before_the_question_and_must_be_named_somewhere() {
    let folder = Folder::new("fsck");
    let image = folder.0.join("state.img");
    std::fs::write(&image, &disk().0.0).unwrap();
    let before = obsctl(&folder, &["--image", image.to_str().unwrap(), "fsck"]);
    assert_eq!(before.status.code(), Some(0), "{}", text(&before.stderr));
    let none = obsctl(&folder, &["fsck"]);
    assert_eq!(none.status.code(), Some(2));
    assert!(text(&none.stderr).contains("obsctl fsck IMAGE"), "{}", text(&none.stderr));
}
