//! One message of a broker: as it arrives, and as Hearth sends it.

use std::sync::Arc;

/// How surely a message is delivered (MQTT 5, section 4.3).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
#[allow(clippy::enum_variant_names, reason = "the words of the standard")]
pub(crate) enum Qos {
    /// At most once.
    #[default]
    AtMostOnce,
    /// At least once.
    AtLeastOnce,
    /// Exactly once.
    ExactlyOnce,
}

impl Qos {
    /// Returns 0, 1 or 2.
    pub(crate) fn number(self) -> u8 {
        self as u8
    }

    /// Returns the level of that number, when there is one.
    pub(crate) fn of(number: u8) -> Option<Qos> {
        [Qos::AtMostOnce, Qos::AtLeastOnce, Qos::ExactlyOnce].get(usize::from(number)).copied()
    }
}

/// The properties of a PUBLISH (MQTT 5, section 3.3.2.3); 3.1.1 has none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Properties {
    /// The sender says that the payload is UTF-8 text.
    pub(crate) is_text: Option<bool>,
    /// Seconds until the broker drops it, as it said at delivery.
    pub(crate) expiry: Option<u32>,
    /// Where an answer is expected.
    pub(crate) response_topic: Option<Arc<str>>,
    /// What the answer must carry.
    pub(crate) correlation: Option<Arc<[u8]>>,
    /// MIME type of the payload.
    pub(crate) content_type: Option<Arc<str>>,
    /// Which of our subscriptions it matched.
    pub(crate) subscriptions: Vec<u32>,
    /// Names and values of the sender's own, in its order.
    pub(crate) user: Vec<(String, String)>,
}

impl Properties {
    /// Returns about how many bytes of memory they take.
    pub(crate) fn weight(&self) -> usize {
        let texts = [&self.response_topic, &self.content_type].into_iter().flatten();
        let user = self.user.iter().map(|(name, value)| name.len() + value.len() + 64);
        size_of::<Properties>()
            + texts.map(|text| text.len() + 32).sum::<usize>()
            + self.correlation.as_ref().map_or(0, |bytes| bytes.len() + 32)
            + self.subscriptions.len() * size_of::<u32>()
            + user.sum::<usize>()
    }
}

/// A message as it lies in the read buffer. Who keeps it copies it: a slice of the buffer would hold
/// all of the buffer in memory.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Arrived<'a> {
    /// Microseconds since 1970 (UTC) at which it was read.
    pub(crate) at: i64,
    /// Valid UTF-8, without U+0000: the link refuses others.
    pub(crate) topic: &'a str,
    pub(crate) payload: Payload<'a>,
    pub(crate) qos: Qos,
    /// The retain flag of the packet: it was kept by the broker and sent because we subscribed.
    pub(crate) retained: bool,
    pub(crate) dup: bool,
    pub(crate) properties: Option<&'a Properties>,
}

/// What a message carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Payload<'a> {
    /// All of it.
    Whole(&'a [u8]),
    /// It was larger than `mqtt.max_packet_bytes`, and so was skipped while it was read; its size in
    /// bytes.
    TooLarge(u64),
}

/// A message to send.
#[derive(Clone, Debug)]
pub(crate) struct Publish {
    pub(crate) topic: String,
    pub(crate) payload: Vec<u8>,
    pub(crate) qos: Qos,
    pub(crate) retain: bool,
    /// Sent with MQTT 5 only.
    pub(crate) properties: Option<Properties>,
}

/// What became of a message that was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// QoS 0: handed to the network. QoS 1 and 2: the broker took it over.
    Written {
        /// The broker says that nobody is subscribed (MQTT 5, reason code 0x10).
        unheard: bool,
    },
    /// It did not leave, or the broker refused it; why, for people.
    NotSent(String),
    /// It left, and the connection was lost before the broker's answer; why, for people.
    Unknown(String),
}
