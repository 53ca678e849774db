//! Live spans.
