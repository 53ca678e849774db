use alloc::boxed::Box;
use alloc::string::String;

/// Bytes of a key, private or public.
pub const KEY_BYTES: usize = 32;

/// The keys of all endpoints of a system, as whoever builds its programs has them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keys {
    /// At least two endpoints.
    pub endpoints: Box<[EndpointKeys]>,
}

/// Both keys of an endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndpointKeys {
    /// The service that it is.
    pub name: String,
    /// What others know it by.
    pub public: [u8; KEY_BYTES],
    /// What nobody else knows.
    pub private: [u8; KEY_BYTES],
}

/// What one endpoint has of them: its own private key, and the public ones of the others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keyring {
    /// The service that it is.
    pub name: String,
    /// What nobody else knows.
    pub private: [u8; KEY_BYTES],
    /// All others.
    pub peers: Box<[PeerKey]>,
}

/// An endpoint as others know it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerKey {
    /// The service that it is.
    pub name: String,
    /// What it is known by.
    pub public: [u8; KEY_BYTES],
}

impl Keys {
    /// What the endpoint `name` has of them; `None` if there is none of that name.
    #[must_use]
    pub fn ring(&self, name: &str) -> Option<Keyring> {
        let own = self.endpoints.iter().find(|endpoint| endpoint.name == name)?;
        let others = self.endpoints.iter().filter(|endpoint| endpoint.name != name);
        let peer = |of: &EndpointKeys| PeerKey { name: of.name.clone(), public: of.public };
        let (name, private) = (own.name.clone(), own.private);
        Some(Keyring { name, private, peers: others.map(peer).collect() })
    }
}
