//! Pictures become packets. Pure: bytes go in, each packet goes to `send`, nothing is opened here.
//!
//! A picture is the channels of one output as bytes, in the order in which the output wants them. The
//! packets are written into a buffer that lives as long as the encoder, so a picture costs no memory.

mod artnet;
mod ddp;
mod e131;
pub(crate) mod sync;
mod wled;

pub(crate) use artnet::{Artnet, PORT as ARTNET_PORT};
pub(crate) use ddp::{Ddp, PORT as DDP_PORT};
pub(crate) use e131::{E131, PORT as E131_PORT, group};
pub(crate) use wled::{PORT as WLED_PORT, Wled};

/// What fits into a UDP packet on Ethernet: 1500 bytes less the headers of IPv4 and UDP.
pub(crate) const PACKET: usize = 1472;
/// Channels in a universe of DMX (ANSI E1.11, section 8.5).
pub(crate) const UNIVERSE: usize = 512;
/// An ending is said so often: any one packet may be lost.
const ENDINGS: usize = 3;

/// Where a packet goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum To {
    /// To the output's own address.
    Own,
    /// To whoever listens to this universe of E1.31.
    Universe(u16),
}

/// Takes each packet as soon as it is written.
pub(crate) type Send<'a> = &'a mut dyn FnMut(To, &[u8]);

/// One output's way of saying a picture.
#[derive(Clone, Debug)]
pub(crate) enum Encoder {
    /// WLED's realtime protocol.
    Wled(Wled),
    /// Distributed Display Protocol.
    Ddp(Ddp),
    /// Streaming ACN.
    E131(E131),
    /// Art-Net.
    Artnet(Artnet),
}

impl Encoder {
    /// Writes the packets of a picture.
    pub(crate) fn picture(&mut self, data: &[u8], send: Send<'_>) {
        match self {
            Encoder::Wled(wled) => wled.picture(data, send),
            Encoder::Ddp(ddp) => ddp.picture(data, send),
            Encoder::E131(e131) => e131.picture(data, send),
            Encoder::Artnet(artnet) => artnet.picture(data, send),
        }
    }

    /// Says that no more pictures come. `data` is made dark where the protocol has no word for an end.
    pub(crate) fn end(&mut self, data: &mut [u8], send: Send<'_>) {
        match self {
            Encoder::Wled(wled) => wled.end(send),
            Encoder::E131(e131) => e131.end(data, send),
            Encoder::Ddp(_) | Encoder::Artnet(_) => {
                data.fill(0);
                for _ in 0..ENDINGS {
                    self.picture(data, send);
                }
            }
        }
    }
}

#[cfg(test)]
pub(crate) fn packets(encoder: &mut Encoder, data: &[u8]) -> Vec<(To, Vec<u8>)> {
    let mut all = Vec::new();
    encoder.picture(data, &mut |to, packet| all.push((to, packet.to_vec())));
    all
}

#[cfg(test)]
pub(crate) fn ending(encoder: &mut Encoder, data: &[u8]) -> Vec<(To, Vec<u8>)> {
    let mut all = Vec::new();
    encoder.end(&mut data.to_vec(), &mut |to, packet| all.push((to, packet.to_vec())));
    all
}
