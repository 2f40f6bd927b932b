//! Topics as resources.
