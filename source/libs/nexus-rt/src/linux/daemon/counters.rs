//! What the port did to connections and frames before any service saw them.

macro_rules! counters {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// Totals since the start. Every loss and every harshness has its own.
        #[derive(Clone, Copy, Default, Debug)]
        pub(super) struct Counters {
            $($(#[$doc])* pub(super) $name: u64,)*
        }

        impl Counters {
            /// Names every total.
            pub(super) fn visit(&self, out: &mut dyn FnMut(&str, u64)) {
                $(out(concat!("port_", stringify!($name)), self.$name);)*
            }
        }
    };
}

counters! {
    /// Connections taken.
    accepted,
    /// Connections that ended by themselves.
    ended,
    /// Connections cut off to make room for another.
    evicted,
    /// Connections turned away because nothing could be learnt of their peer.
    refused,
    /// Connections cut off because they did not take their answers in time.
    slow_cut,
    /// Connections cut off because too many answers waited and theirs had waited longest.
    crowded_cut,
    /// Connections that broke with an error.
    broken,
    /// Pauses of accepting for want of descriptors or memory.
    accept_pauses,
    /// Frames handed to the service.
    frames,
    /// Packets longer than a frame; the service got an empty frame in their stead.
    oversized,
    /// Answers whose sender was gone.
    replies_gone,
    /// Acknowledgements that a later one made superfluous.
    acks_merged,
    /// Calls of the service whose callee went away.
    calls_died,
    /// Answers of a callee that nobody had asked for; its connection was cut.
    calls_unasked,
    /// Sleeps under load.
    naps,
}
