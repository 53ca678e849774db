//! New keys of the endpoints: the private ones by the entropy of this machine.

use std::fmt::Write as _;
use std::fs::File;
use std::io::Read as _;
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use nexus_recipe::{KEY_BYTES, Keys};

use crate::shell;

/// Who has keys, and which ones.
pub(crate) const FILE: &str = "recipes/system/keys.toml";
const ENTROPY: &str = "/dev/urandom";

const HEAD: &str = "\
# The keys of all endpoints (docs/sessions.md): X25519, in hexadecimal. THE ONES IN THIS
# REPOSITORY ARE FOR TESTS, as everybody knows them. `cargo xtask keys` writes new ones for the same
# endpoints; whoever ships an image keeps this file to himself. The program of an endpoint is built
# with its own private key and the public ones of the others.
";

/// What `cargo xtask keys` takes.
#[derive(clap::Args)]
pub(crate) struct Args {}

pub(crate) fn run(Args {}: &Args) -> Result<ExitCode> {
    let path = shell::root()?.join(FILE);
    let text = std::fs::read_to_string(&path).with_context(|| format!("cannot read {FILE}"))?;
    let known = Keys::parse(&text).map_err(|errors| anyhow::anyhow!("{}", errors.in_file(FILE)))?;
    let mut entropy = File::open(ENTROPY).with_context(|| format!("cannot open {ENTROPY}"))?;
    let mut new = HEAD.to_owned();
    for endpoint in &known.endpoints {
        let mut private = [0; KEY_BYTES];
        entropy.read_exact(&mut private).with_context(|| format!("cannot read {ENTROPY}"))?;
        write_pair(&endpoint.name, &private, &mut new);
    }
    std::fs::write(&path, new).with_context(|| format!("cannot write {FILE}"))?;
    println!("{} new pairs in {FILE}: build the image anew", known.endpoints.len());
    Ok(ExitCode::SUCCESS)
}

fn write_pair(name: &str, private: &[u8; KEY_BYTES], to: &mut String) {
    let (public, private) = (hex(&nexus_session::public_key(private)), hex(private));
    let pair = format_args!(
        "\n[[endpoint]]\nname = \"{name}\"\npublic = \"{public}\"\nprivate = \"{private}\"\n"
    )
    .to_string();
    to.push_str(&pair);
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let written = write!(text, "{byte:02x}");
        assert!(written.is_ok(), "a string takes everything");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pairs_of_the_recipe_belong_together() {
        let text = std::fs::read_to_string(shell::root().unwrap().join(FILE)).unwrap();
        let keys = Keys::parse(&text).unwrap();
        assert!(keys.endpoints.len() >= 2);
        for pair in &keys.endpoints {
            assert_eq!(pair.public, nexus_session::public_key(&pair.private), "{}", pair.name);
        }
    }

    #[test]
    fn a_new_pair_is_read_as_it_was_written() {
        let mut text = HEAD.to_owned();
        write_pair("a", &[7; KEY_BYTES], &mut text);
        write_pair("b", &[8; KEY_BYTES], &mut text);
        let keys = Keys::parse(&text).unwrap();
        assert_eq!(keys.endpoints[1].private, [8; KEY_BYTES]);
        assert_ne!(keys.endpoints[1].public, nexus_session::public_key(&[7; KEY_BYTES]));
    }
}
