use nexus_gate::{REDACTED, Redacted, Redactor};
use nexus_recipe::{MetricsdLimits, OnSecret};
use nexus_wire::{
    AttrBytes, FieldError, Fields, FieldsWriter, LABELS_BYTES_MAX, NameBytes, Reason,
};

/// A buffer for the attributes of one span.
pub(super) type AttrBuffer = [u8; LABELS_BYTES_MAX];

/// What a recipe says of the texts of spans.
#[derive(Clone, Copy)]
pub(super) struct TextRules {
    count: usize,
    key_bytes: usize,
    value_bytes: usize,
}

/// A text as it may be kept, and how many secrets were taken out of it.
pub(super) struct Kept<T> {
    pub(super) text: T,
    pub(super) redacted: u32,
}

impl TextRules {
    pub(super) const fn new(limits: &MetricsdLimits) -> Self {
        Self {
            count: limits.attrs_count as usize,
            key_bytes: limits.key_bytes as usize,
            value_bytes: limits.value_bytes as usize,
        }
    }

    /// Attributes that are canonical, claim no identity, are within their bounds and without
    /// secrets.
    pub(super) fn attributes<'a>(
        &self,
        bytes: AttrBytes<'a>,
        redactor: &mut Redactor,
        buffer: &'a mut AttrBuffer,
    ) -> Result<Kept<Fields<'a>>, Reason> {
        let fields = Fields::parse_claimless(bytes.as_bytes()).map_err(|wrong| match wrong {
            FieldError::ClaimsIdentity => Reason::Identity,
            _ => Reason::Invalid,
        })?;
        let within = |(key, value): (&str, &str)| {
            key.len() <= self.key_bytes && value.len() <= self.value_bytes
        };
        if fields.iter().count() > self.count || !fields.iter().all(within) {
            return Err(Reason::OverLimit);
        }
        match redactor.fields(fields, buffer) {
            Redacted::Clean => Ok(Kept { text: fields, redacted: 0 }),
            Redacted::Replaced { value, count } => Ok(Kept { text: value, redacted: count }),
            Redacted::Refused => Err(Reason::Secret),
        }
    }

    /// The attributes of a start and of an end together; for a key in both the end's value holds.
    pub(super) fn merged<'a>(
        &self,
        start: Fields<'_>,
        end: Fields<'_>,
        buffer: &'a mut AttrBuffer,
    ) -> Result<Fields<'a>, Reason> {
        let mut out = FieldsWriter::new(buffer);
        let mut count = 0;
        let (mut earlier, mut later) = (start.iter().peekable(), end.iter().peekable());
        while let Some(first) = [earlier.peek(), later.peek()].into_iter().flatten().min() {
            let key = first.0;
            let from_start = earlier.next_if(|(name, _)| *name == key);
            let Some((key, value)) = later.next_if(|(name, _)| *name == key).or(from_start) else {
                break;
            };
            count += 1;
            if count > self.count || !out.field(key, value) {
                return Err(Reason::OverLimit);
            }
        }
        out.finish().map_err(|_| Reason::OverLimit)
    }
}

/// A span's name that may be kept.
pub(super) fn name<'a>(
    bytes: NameBytes<'a>,
    redactor: &mut Redactor,
) -> Result<Kept<&'a str>, Reason> {
    let name = bytes.span_name().ok_or(Reason::Invalid)?.as_str();
    if !redactor.name_is_secret(name) {
        return Ok(Kept { text: name, redacted: 0 });
    }
    match redactor.on_secret() {
        OnSecret::Refuse => Err(Reason::Secret),
        OnSecret::Replace => Ok(Kept { text: REDACTED, redacted: 1 }),
    }
}
