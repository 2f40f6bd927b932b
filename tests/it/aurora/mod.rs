//! Tests of Aurora.

mod lamps;
