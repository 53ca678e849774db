//! What the tests of obsctl share: the programs, and folders that go.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Once;
use std::sync::atomic::{AtomicU32, Ordering};

/// The folder with obsctl, logd, metricsd and hostprobe, built if need be.
pub(crate) fn programs() -> PathBuf {
    static BUILT: Once = Once::new();
    BUILT.call_once(|| {
        let built = Command::new(env!("CARGO"))
            .args(["build", "--quiet", "-p", "logd", "-p", "metricsd", "-p", "hostprobe"])
            .status();
        assert!(built.is_ok_and(|status| status.success()), "the programs do not build");
    });
    let obsctl = Path::new(env!("CARGO_BIN_EXE_obsctl"));
    obsctl.parent().map(Path::to_path_buf).unwrap()
}

/// A new folder that goes with this value. Its path is short: sockets lie in it.
pub(crate) struct Folder(pub(crate) PathBuf);

impl Folder {
    pub(crate) fn new(name: &str) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let (process, count) = (std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(format!("obsctl-{name}.{process}.{count}"));
        std::fs::create_dir(&path).unwrap();
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.0));
    }
}
