/// What a service keeps beyond its own life. Whoever starts it says so: services do not find out in
/// which world they are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Keep {
    /// Nothing: no memory is taken for it, and nobody is called.
    Nothing,
    /// What is worth it, in files of statefsd's; what former lives have kept is read again.
    Files,
    /// The same, but what former lives have kept is suspected to be what they died of: it is set
    /// aside, unread, and the service begins anew.
    FilesAside,
}

impl Keep {
    /// Whether anything is kept.
    #[must_use]
    pub const fn has_files(self) -> bool {
        !matches!(self, Self::Nothing)
    }
}
