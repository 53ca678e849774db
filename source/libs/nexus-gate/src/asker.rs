use nexus_abi::{Life, Sender};
use nexus_port::Token;
use nexus_wire::Echo;

/// Who waits for an answer, with all that the answer needs.
#[derive(Clone, Copy, Debug)]
pub struct Asker {
    /// Who asks.
    pub from: Sender,
    /// Names the request in its answer.
    pub token: Token,
    /// What the answer echoes.
    pub echo: Echo,
}

impl Asker {
    /// The life that asks.
    #[must_use]
    pub const fn life(&self) -> Life {
        (self.from.id, self.from.incarnation)
    }
}
