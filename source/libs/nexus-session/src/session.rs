use nexus_abi::{Life, ServiceId};
use nexus_bounded::{Mono, Nanos};
use nexus_wire::sessions::line::{Kind, Reply, Request, SUITE};
use nexus_wire::sessions::{SessionId, SessionStatus};

use crate::line::Answer;
use crate::noise::{Channel, Opening};
use crate::ring::Peer;
use crate::rooms::Sealing;
use crate::{End, NewSession};

/// A session over which nothing is asked for so long ends.
pub const IDLE: Nanos = Nanos::from_secs(30);

/// A session that we have opened, or are opening or closing.
pub(crate) struct Session {
    pub(crate) id: SessionId,
    pub(crate) owner: Life,
    pub(crate) peer: Peer,
    pub(crate) to: ServiceId,
    keys: Option<Keys>,
    began: Mono,
    /// If nothing goes on over it until then, it ends.
    idle: Mono,
    /// It ends as soon as nothing goes on over it, and why.
    ends: Option<End>,
}

/// What an open session has.
struct Keys {
    channel: Channel,
    /// How the other endpoint numbers it.
    theirs: SessionId,
}

impl Session {
    /// One that is being opened.
    pub(crate) const fn new(
        id: SessionId,
        owner: Life,
        (peer, to): (Peer, ServiceId),
        now: Mono,
    ) -> Self {
        Self { id, owner, peer, to, keys: None, began: now, idle: now.after(IDLE), ends: None }
    }

    /// Whether something may be asked over it.
    pub(crate) const fn is_open(&self) -> bool {
        self.keys.is_some() && self.ends.is_none()
    }

    /// Takes what was answered to our hello: the other endpoint is who it should be.
    pub(crate) fn welcome(
        &mut self,
        opening: Opening,
        answer: Answer<'_>,
        now: Mono,
    ) -> Result<NewSession, SessionStatus> {
        let welcome = match answer? {
            Reply::Welcome { suite: SUITE, welcome } => welcome,
            Reply::Welcome { .. } => return Err(SessionStatus::Downgraded),
            _ => return Err(SessionStatus::NotAuthentic),
        };
        let (channel, theirs) = opening.end(welcome)?;
        (self.keys, self.idle) = (Some(Keys { channel, theirs }), now.after(IDLE));
        Ok(NewSession { id: self.id, took: now.since(self.began) })
    }

    /// What is to be said to the other endpoint so that it alone can read it.
    pub(crate) fn seal<'b>(
        &mut self,
        kind: Kind,
        bytes: &[u8],
        room: &'b mut Sealing,
    ) -> Result<Request<'b>, SessionStatus> {
        let Keys { channel, theirs } = self.keys.as_mut().ok_or(SessionStatus::NotFound)?;
        let sealed = channel.seal(kind, bytes, room).map_err(|_| SessionStatus::OverLimit)?;
        Ok(Request::Carry { session: *theirs, sealed })
    }

    /// What was answered, if it is the answer; if not, it ends.
    pub(crate) fn read<'b>(
        &mut self,
        answer: Answer<'_>,
        room: &'b mut [u8],
        now: Mono,
    ) -> Result<&'b [u8], SessionStatus> {
        self.idle = now.after(IDLE);
        let read = self.open(answer, room);
        read.inspect_err(|status| self.fail(*status))
    }

    fn open<'b>(
        &mut self,
        answer: Answer<'_>,
        room: &'b mut [u8],
    ) -> Result<&'b [u8], SessionStatus> {
        let Reply::Carried(sealed) = answer? else { return Err(SessionStatus::NotAuthentic) };
        let keys = self.keys.as_mut().ok_or(SessionStatus::NotFound)?;
        match keys.channel.open(sealed, room)? {
            (Kind::Data, bytes) => Ok(bytes),
            (Kind::End, _) => Err(SessionStatus::NotAuthentic),
        }
    }

    /// It is out of step, or there is nobody to tell that it ends.
    fn fail(&mut self, status: SessionStatus) {
        self.end(End::Failed);
        if status == SessionStatus::PeerAway {
            self.forget_keys();
        }
    }

    /// Nothing more can be said over it.
    pub(crate) fn forget_keys(&mut self) {
        self.keys = None;
    }

    /// Is to end as soon as nothing goes on over it.
    pub(crate) fn end(&mut self, how: End) {
        self.ends.get_or_insert(how);
    }

    /// Why it ends now, if nothing goes on over it.
    pub(crate) fn due(&self, now: Mono) -> Option<End> {
        self.ends.or((self.idle <= now).then_some(End::Idle))
    }

    /// When it ends if nothing goes on over it.
    pub(crate) const fn deadline(&self) -> Mono {
        self.idle
    }
}
