//! What a name, labels and a help must be before a series may carry them. Looked at only when a key
//! is first seen: what is in the registry was found right once.

use nexus_gate::{REDACTED, Redacted, Redactor};
use nexus_recipe::{MetricsdLimits, OnSecret};
use nexus_wire::{
    FieldError, Fields, HELP_BYTES_MAX, Help, LABELS_BYTES_MAX, LabelBytes, Labels, MetricName,
    NameBytes, Reason,
};

/// The rules for names and labels.
pub(crate) struct KeyRules {
    labels: usize,
    key_bytes: usize,
    value_bytes: usize,
}

/// A name and labels that may be stored.
pub(crate) struct CleanKey<'a> {
    pub(crate) name: MetricName<'a>,
    pub(crate) labels: Labels<'a>,
    /// Values in which something secret was replaced.
    pub(crate) replaced: u32,
}

/// Room for labels that have to be written anew.
pub(crate) type LabelScratch = [u8; LABELS_BYTES_MAX];

impl KeyRules {
    pub(crate) const fn new(limits: &MetricsdLimits) -> Self {
        Self {
            labels: limits.labels_count as usize,
            key_bytes: limits.key_bytes as usize,
            value_bytes: limits.value_bytes as usize,
        }
    }

    /// Checks a name and labels as they came and takes out what is secret.
    pub(crate) fn clean<'a>(
        &self,
        redactor: &mut Redactor,
        name: NameBytes<'a>,
        labels: LabelBytes<'a>,
        scratch: &'a mut LabelScratch,
    ) -> Result<CleanKey<'a>, Reason> {
        let name = name.metric_name().ok_or(Reason::Invalid)?;
        let labels = Labels::parse(labels).map_err(reason_of)?;
        self.check_sizes(labels.fields())?;
        let (name, name_replaced) = clean_name(redactor, name)?;
        let (labels, replaced) = match redactor.fields(labels.fields(), scratch) {
            Redacted::Clean => (labels, 0),
            Redacted::Refused => return Err(Reason::Secret),
            Redacted::Replaced { value, count } => {
                let bytes = LabelBytes::new(value.as_str().as_bytes()).ok_or(Reason::Secret)?;
                (Labels::parse(bytes).map_err(reason_of)?, count)
            }
        };
        Ok(CleanKey { name, labels, replaced: replaced + name_replaced })
    }

    fn check_sizes(&self, labels: Fields<'_>) -> Result<(), Reason> {
        let fits = |(key, value): (&str, &str)| {
            key.len() <= self.key_bytes && value.len() <= self.value_bytes
        };
        if labels.iter().count() > self.labels || !labels.iter().all(fits) {
            return Err(Reason::OverLimit);
        }
        Ok(())
    }
}

/// The name, or what stands for a secret one, and how many secrets were replaced.
fn clean_name<'a>(
    redactor: &mut Redactor,
    name: MetricName<'a>,
) -> Result<(MetricName<'a>, u32), Reason> {
    if !redactor.name_is_secret(name.as_str()) {
        return Ok((name, 0));
    }
    match redactor.on_secret() {
        OnSecret::Refuse => Err(Reason::Secret),
        OnSecret::Replace => MetricName::new(REDACTED).map(|name| (name, 1)).ok_or(Reason::Secret),
    }
}

/// A help that may be stored.
pub(crate) struct CleanHelp<'a> {
    pub(crate) text: &'a str,
    /// Parts in which something secret was replaced.
    pub(crate) replaced: u32,
}

/// Takes out of a help what is secret.
pub(crate) fn clean_help<'a>(
    redactor: &mut Redactor,
    help: Help<'a>,
    scratch: &'a mut [u8; HELP_BYTES_MAX],
) -> Result<CleanHelp<'a>, Reason> {
    match redactor.message(help.as_str(), scratch) {
        Redacted::Clean => Ok(CleanHelp { text: help.as_str(), replaced: 0 }),
        Redacted::Refused => Err(Reason::Secret),
        Redacted::Replaced { value, count } => Ok(CleanHelp { text: value, replaced: count }),
    }
}

const fn reason_of(error: FieldError) -> Reason {
    match error {
        FieldError::ClaimsIdentity => Reason::Identity,
        _ => Reason::Invalid,
    }
}
