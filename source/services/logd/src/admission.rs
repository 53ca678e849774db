use alloc::boxed::Box;
use alloc::vec;

use nexus_gate::{Redacted, Redactor};
use nexus_recipe::{LogdLimits, Recipe};
use nexus_wire::logs::NewRecord;
use nexus_wire::{FIELDS_BYTES_MAX, FieldBounds, FieldError, Fields, MESSAGE_BYTES_MAX, Reason};

/// What a record must be like to be stored. Everything is checked before anything is stored: sizes
/// against the recipe, the form of the fields, claims of identity, secrets.
pub(crate) struct Admission {
    scope_bytes: usize,
    message_bytes: usize,
    fields_bytes: usize,
    fields: FieldBounds,
    redactor: Redactor,
    /// Where texts are written anew whose secrets are replaced.
    clean_message: Box<[u8]>,
    clean_fields: Box<[u8]>,
}

/// A record as it may be stored.
pub(crate) struct Admitted<'a> {
    pub(crate) record: NewRecord<'a>,
    /// Values in it that were replaced as secret.
    pub(crate) redacted: u32,
}

impl Admission {
    /// The limits and secrets of a recipe; all memory is taken now.
    pub(crate) fn new(recipe: &Recipe) -> Self {
        let limits = &recipe.logd;
        Self {
            scope_bytes: limits.scope_bytes as usize,
            message_bytes: limits.message_bytes as usize,
            fields_bytes: limits.fields_bytes as usize,
            fields: FieldBounds {
                count: limits.fields_count as usize,
                key_bytes: limits.key_bytes as usize,
                value_bytes: limits.value_bytes as usize,
            },
            redactor: Redactor::new(&recipe.redaction),
            clean_message: vec![0; Self::message_room(limits)].into_boxed_slice(),
            clean_fields: vec![0; Self::fields_room(limits)].into_boxed_slice(),
        }
    }

    fn message_room(limits: &LogdLimits) -> usize {
        MESSAGE_BYTES_MAX.min(limits.message_bytes as usize)
    }

    fn fields_room(limits: &LogdLimits) -> usize {
        FIELDS_BYTES_MAX.min(limits.fields_bytes as usize)
    }

    /// Bytes of memory that it takes besides the redaction rules.
    pub(crate) fn bytes(limits: &LogdLimits) -> usize {
        Self::message_room(limits) + Self::fields_room(limits)
    }

    /// The record as it may be stored, or why it may not.
    ///
    /// # Errors
    /// `OverLimit` beyond one of the recipe's sizes, `Identity` for a claim to be somebody,
    /// `Secret` where the recipe refuses secrets, else `Invalid`.
    pub(crate) fn check<'a>(&'a mut self, record: &NewRecord<'a>) -> Result<Admitted<'a>, Reason> {
        self.check_sizes(record)?;
        let fields = Fields::parse_bounded(record.fields, &self.fields).map_err(reason_of)?;
        if self.redactor.name_is_secret(record.scope) {
            return Err(Reason::Secret);
        }
        let (message, in_message) =
            settle(self.redactor.message(record.message, &mut self.clean_message), record.message)?;
        let (fields, in_fields) =
            settle(self.redactor.fields(fields, &mut self.clean_fields), fields)?;
        let fields = fields.as_bytes();
        let record = NewRecord { level: record.level, scope: record.scope, message, fields };
        Ok(Admitted { record, redacted: in_message + in_fields })
    }

    fn check_sizes(&self, record: &NewRecord<'_>) -> Result<(), Reason> {
        let within = record.scope.len() <= self.scope_bytes
            && record.message.len() <= self.message_bytes
            && record.fields.len() <= self.fields_bytes;
        if within { Ok(()) } else { Err(Reason::OverLimit) }
    }
}

/// The text to store and how many secrets it has lost.
fn settle<T>(redacted: Redacted<T>, clean: T) -> Result<(T, u32), Reason> {
    match redacted {
        Redacted::Clean => Ok((clean, 0)),
        Redacted::Refused => Err(Reason::Secret),
        Redacted::Replaced { value, count } => Ok((value, count)),
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
