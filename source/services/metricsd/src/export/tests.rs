//! The export against a journal that loses, refuses, restarts and pauses.
