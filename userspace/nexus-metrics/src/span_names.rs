use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;

use crate::limits::SPAN_NAMES_MAX;
use crate::record::NameId;
use crate::threads::Lock;

/// The names that spans of a process have, by number.
pub(crate) struct SpanNames(Lock<Vec<Arc<str>>>);

impl SpanNames {
    pub(crate) const fn new() -> Self {
        Self(Lock::new(Vec::new()))
    }

    /// The number of a name, or `None` if there are too many names already.
    pub(crate) fn intern(&self, name: &str) -> Option<NameId> {
        self.0.with(|names| {
            let known = names.iter().position(|known| **known == *name);
            let at = known.unwrap_or(names.len());
            if at == SPAN_NAMES_MAX {
                return None;
            }
            if known.is_none() {
                names.push(Arc::from(Box::from(name)));
            }
            u32::try_from(at).ok().map(NameId)
        })
    }

    /// The name of a number.
    pub(crate) fn get(&self, id: NameId) -> Option<Arc<str>> {
        self.0.with(|names| names.get(id.0 as usize).cloned())
    }
}
