//! Export to logd.
