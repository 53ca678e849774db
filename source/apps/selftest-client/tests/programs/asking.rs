//! What tests ask bundlemgrd and execd besides the cases.

use nexus_abi::{FRAME_BYTES_MAX, Rights};
use nexus_bundle::{Manifest, pack};
use nexus_wire::bundles::{self, BUNDLE_PIECE_BYTES_MAX, BundleName, BundleStatus, BundleVersion};
use nexus_wire::exec::{self, ExecStatus};

use crate::world::Simulated;

/// A bundle with the entry `demo-hoard`.
pub(crate) fn bundle(name: &str, program_bytes: usize) -> Vec<u8> {
    let manifest = Manifest {
        name: BundleName::new(name).unwrap(),
        version: BundleVersion::new("1").unwrap(),
        entry: BundleName::new("demo-hoard").unwrap(),
        memory_kib: 64,
        rights: Rights::NONE,
        program_bytes: 0,
    };
    pack(&manifest, &vec![7; program_bytes]).unwrap()
}

impl Simulated {
    pub(crate) fn ask_bundlemgrd(&mut self, request: &bundles::Request<'_>) -> BundleStatus {
        let mut frame = [0; FRAME_BYTES_MAX];
        let frame = bundles::encode(request, 7, &mut frame).unwrap();
        let answer = self.answer("bundlemgrd", frame);
        bundles::decode_reply(request.op(), 7, &answer).unwrap().0
    }

    pub(crate) fn begin(&mut self, name: &str, size: usize) -> BundleStatus {
        let name = BundleName::new(name).unwrap();
        self.ask_bundlemgrd(&bundles::Request::Begin { name, size: size as u32 })
    }

    /// Brings bytes of what was begun, from its first on.
    pub(crate) fn bring(&mut self, bytes: &[u8]) {
        let mut at = 0;
        for bytes in bytes.chunks(BUNDLE_PIECE_BYTES_MAX) {
            let bring = bundles::Request::Bring { at, bytes };
            assert_eq!(self.ask_bundlemgrd(&bring), BundleStatus::Ok);
            at += bytes.len() as u32;
        }
    }

    pub(crate) fn install(&mut self, name: &str, bytes: &[u8]) -> BundleStatus {
        assert_eq!(self.begin(name, bytes.len()), BundleStatus::Ok);
        self.bring(bytes);
        self.ask_bundlemgrd(&bundles::Request::Commit)
    }

    fn ask_execd<T>(
        &mut self,
        request: &exec::Request<'_>,
        look: impl FnOnce(ExecStatus, exec::Reply<'_>) -> T,
    ) -> T {
        let mut frame = [0; FRAME_BYTES_MAX];
        let frame = exec::encode(request, 7, &mut frame).unwrap();
        let answer = self.answer("execd", frame);
        let (status, reply) = exec::decode_reply(request.op(), 7, &answer).unwrap();
        look(status, reply)
    }

    pub(crate) fn start(&mut self, name: &str) -> Result<u32, ExecStatus> {
        let name = BundleName::new(name).unwrap();
        self.ask_execd(&exec::Request::Start { name }, |status, reply| match reply {
            exec::Reply::Started { pid } => Ok(pid),
            _ => Err(status),
        })
    }

    /// What runs, and as what it was started.
    pub(crate) fn running(&mut self) -> Vec<(u32, String)> {
        self.ask_execd(&exec::Request::List, |_, reply| match reply {
            exec::Reply::List(list) => {
                list.running().map(|one| (one.pid, one.name.as_str().to_owned())).collect()
            }
            other => panic!("{other:?}"),
        })
    }
}
