//! Listening to sound: ALSA through Debian's libasound, pipes, connections and WLED's packets through
//! real sockets, and what it costs while nobody listens.

mod alsa;
mod idle;
mod rig;
mod streams;
mod wled;
