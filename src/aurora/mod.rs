//! aurora.
