//! `hearth`, the program.
fn main() {}
