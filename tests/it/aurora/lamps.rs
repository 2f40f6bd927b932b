//! The lamps against real receivers on loopback: Python's E1.31 and Art-Net, a parser of DDP, and a WLED
//! as far as its documentation describes it; and their faults.

mod faults;
mod find;
mod formats;
mod off;
mod rig;
mod timing;
mod wled;
