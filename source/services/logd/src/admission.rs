use alloc::boxed::Box;
use alloc::vec;

use nexus_gate::{Redacted, Redactor};
use nexus_recipe::{LogdLimits, Recipe};
use nexus_wire::logs::{NewRecord, SentRecord};
use nexus_wire::{
    FIELDS_BYTES_MAX, FieldBounds, FieldError, Fields, Level, MESSAGE_BYTES_MAX, Reason,
    SCOPE_BYTES_MAX,
};

/// What a record must be like to be stored. Everything is checked before anything is stored: sizes
/// against the recipe, the form of the fields, claims of identity, secrets.
pub(crate) struct Admission {
    scope_bytes: usize,
    message_bytes: usize,
    fields_bytes: usize,
    fields: FieldBounds,
    redactor: Redactor,
    /// Where a text is written anew whose secrets are replaced.
    clean: Box<[u8]>,
}

/// A record as it may be stored.
pub(crate) struct Admitted<'a> {
    pub(crate) level: Level,
    pub(crate) scope_len: usize,
    pub(crate) message_len: usize,
    /// Scope, message and fields, one behind the other.
    pub(crate) text: &'a [u8],
    /// Values in it that were replaced as secret.
    pub(crate) redacted: u32,
}

impl<'a> Admitted<'a> {
    /// The record as it was sent.
    #[inline(always)]
    pub(crate) fn whole(record: &SentRecord<'a>) -> Self {
        Self {
            level: record.level,
            scope_len: record.scope_len(),
            message_len: record.message_len(),
            text: record.text(),
            redacted: 0,
        }
    }
}

impl Admission {
    /// The limits and secrets of a recipe; all memory is taken now.
    pub(crate) fn new(recipe: &Recipe) -> Self {
        let limits = &recipe.logd;
        Self {
            scope_bytes: limits.scope_bytes as usize,
            message_bytes: MESSAGE_BYTES_MAX.min(limits.message_bytes as usize),
            fields_bytes: FIELDS_BYTES_MAX.min(limits.fields_bytes as usize),
            fields: FieldBounds {
                count: limits.fields_count as usize,
                key_bytes: limits.key_bytes as usize,
                value_bytes: limits.value_bytes as usize,
            },
            redactor: Redactor::new(&recipe.redaction),
            clean: vec![0; Self::bytes(limits)].into_boxed_slice(),
        }
    }

    /// Bytes of memory that it takes besides the redaction rules: room for one text.
    pub(crate) fn bytes(limits: &LogdLimits) -> usize {
        SCOPE_BYTES_MAX.min(limits.scope_bytes as usize)
            + MESSAGE_BYTES_MAX.min(limits.message_bytes as usize)
            + FIELDS_BYTES_MAX.min(limits.fields_bytes as usize)
    }

    /// Whether a record is within the recipe's sizes.
    ///
    /// # Errors
    /// `OverLimit`.
    #[inline(always)]
    pub(crate) fn check_sizes(&self, record: &SentRecord<'_>) -> Result<(), Reason> {
        let within = record.scope_len() <= self.scope_bytes
            && record.message_len() <= self.message_bytes
            && record.fields().len() <= self.fields_bytes;
        if within { Ok(()) } else { Err(Reason::OverLimit) }
    }

    /// Whether a record may be stored as it is, as far as that can be said quickly.
    #[inline(always)]
    pub(crate) fn passes(&mut self, record: &SentRecord<'_>) -> bool {
        let (texts, fields) = (record.scope_and_message(), record.fields());
        self.redactor.passes(texts, record.scope_len(), fields, &self.fields)
    }

    /// The record as it may be stored, maybe written anew without its secrets, or why it may not.
    ///
    /// # Errors
    /// `OverLimit` beyond one of the recipe's sizes, `Identity` for a claim to be somebody,
    /// `Secret` where the recipe refuses secrets, else `Invalid`.
    pub(crate) fn settle(&mut self, record: &SentRecord<'_>) -> Result<Admitted<'_>, Reason> {
        let fields = Fields::parse_bounded(record.fields(), &self.fields).map_err(reason_of)?;
        let NewRecord { level, scope, message, .. } = record.as_new();
        let redactor = &mut self.redactor;
        if redactor.name_is_secret(scope) {
            return Err(Reason::Secret);
        }
        let mut clean = CleanText { buffer: &mut self.clean, len: 0 };
        clean.push(scope.as_bytes(), scope.len(), |_| Redacted::Clean)?;
        let in_message = clean.push(message.as_bytes(), self.message_bytes, |room| {
            redactor.message(message, room).map(str::len)
        })?;
        let message_len = clean.len - scope.len();
        let in_fields = clean.push(fields.as_bytes(), self.fields_bytes, |room| {
            redactor.fields(fields, room).map(|fields| fields.as_bytes().len())
        })?;
        let (scope_len, redacted) = (scope.len(), in_message + in_fields);
        let CleanText { buffer, len } = clean;
        let text = buffer.get(..len).unwrap_or_default();
        Ok(Admitted { level, scope_len, message_len, text, redacted })
    }
}

/// A text while it is written anew.
struct CleanText<'b> {
    buffer: &'b mut [u8],
    len: usize,
}

impl CleanText<'_> {
    /// Appends a part, at most `room` bytes: as `look` writes it to there or, if that finds it
    /// clean, as it is. Gives how many secrets it has lost.
    fn push(
        &mut self,
        part: &[u8],
        room: usize,
        look: impl FnOnce(&mut [u8]) -> Redacted<usize>,
    ) -> Result<u32, Reason> {
        let room = room.min(self.buffer.len() - self.len);
        let target = self.buffer.get_mut(self.len..self.len + room).unwrap_or_default();
        let (len, lost) = match look(target) {
            Redacted::Refused => return Err(Reason::Secret),
            Redacted::Replaced { value, count } => (value, count),
            Redacted::Clean => {
                let target = target.get_mut(..part.len()).ok_or(Reason::OverLimit)?;
                target.copy_from_slice(part);
                (part.len(), 0)
            }
        };
        self.len += len;
        Ok(lost)
    }
}

const fn reason_of(error: FieldError) -> Reason {
    match error {
        FieldError::ClaimsIdentity => Reason::Identity,
        FieldError::OverBound => Reason::OverLimit,
        FieldError::NotText
        | FieldError::NotAPair
        | FieldError::BadKey
        | FieldError::Unsorted
        | FieldError::Duplicate => Reason::Invalid,
    }
}
