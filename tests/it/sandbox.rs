//! Sandboxes of the kernel's own means: what holds, what is read back, and that nothing is left.

mod cold;
mod contained;
mod ends;
mod escapes;
mod killed;
mod limits;
mod out;
mod rig;
mod sealed;
