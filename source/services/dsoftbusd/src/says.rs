use nexus_wire::markers;

/// What an endpoint says on the console.
#[derive(Clone, Copy, Debug)]
pub struct Says {
    /// Once its proof at start is done.
    pub(crate) ready: &'static str,
    /// Of the first frame that was malformed, and of the first beyond a limit.
    pub(crate) rejects: [&'static str; 2],
}

impl Says {
    /// Where local programs ask.
    pub const LOCAL: Self = Self {
        ready: markers::DSOFTBUSD_READY,
        rejects: [markers::DSOFTBUSD_REJECT_INVALID_ARGS, markers::DSOFTBUSD_REJECT_OVER_LIMIT],
    };

    /// At the other end.
    pub const PEER: Self = Self {
        ready: markers::DSOFTBUSD_PEER_READY,
        rejects: [
            markers::DSOFTBUSD_PEER_REJECT_INVALID_ARGS,
            markers::DSOFTBUSD_PEER_REJECT_OVER_LIMIT,
        ],
    };
}
