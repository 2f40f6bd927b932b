//! Shows that are changed while they run, and profiles as files.
