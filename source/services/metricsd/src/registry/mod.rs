//! Series by key, with caps and windows.
