//! The properties of MQTT 5 (section 2.2.2): one table of what each holds, one loop that reads them.

use crate::mqtt::broker::wire::Fault;
use crate::mqtt::broker::wire::reader::Reader;

/// Identifiers of the properties that a broker reads or writes.
pub(super) mod id {
    pub(in crate::mqtt::broker::wire) const FORMAT: u8 = 0x01;
    pub(in crate::mqtt::broker::wire) const EXPIRY: u8 = 0x02;
    pub(in crate::mqtt::broker::wire) const CONTENT_TYPE: u8 = 0x03;
    pub(in crate::mqtt::broker::wire) const RESPONSE_TOPIC: u8 = 0x08;
    pub(in crate::mqtt::broker::wire) const CORRELATION: u8 = 0x09;
    pub(in crate::mqtt::broker::wire) const SUBSCRIPTION: u8 = 0x0b;
    pub(in crate::mqtt::broker::wire) const SESSION_EXPIRY: u8 = 0x11;
    pub(in crate::mqtt::broker::wire) const CLIENT_ID: u8 = 0x12;
    pub(in crate::mqtt::broker::wire) const KEEP_ALIVE: u8 = 0x13;
    pub(in crate::mqtt::broker::wire) const AUTH_METHOD: u8 = 0x15;
    pub(in crate::mqtt::broker::wire) const AUTH_DATA: u8 = 0x16;
    pub(in crate::mqtt::broker::wire) const WANTS_PROBLEMS: u8 = 0x17;
    pub(in crate::mqtt::broker::wire) const WILL_DELAY: u8 = 0x18;
    pub(in crate::mqtt::broker::wire) const WANTS_RESPONSE: u8 = 0x19;
    pub(in crate::mqtt::broker::wire) const RESPONSE: u8 = 0x1a;
    pub(in crate::mqtt::broker::wire) const REASON: u8 = 0x1f;
    pub(in crate::mqtt::broker::wire) const RECEIVE_MAXIMUM: u8 = 0x21;
    pub(in crate::mqtt::broker::wire) const ALIAS_MAXIMUM: u8 = 0x22;
    pub(in crate::mqtt::broker::wire) const ALIAS: u8 = 0x23;
    pub(in crate::mqtt::broker::wire) const USER: u8 = 0x26;
    pub(in crate::mqtt::broker::wire) const PACKET_MAXIMUM: u8 = 0x27;
}

/// What a property holds.
pub(super) enum Value<'a> {
    Number(u32),
    Text(&'a str),
    /// Bytes or a pair of texts: nobody looks into them.
    Other,
}

/// One property, and its bytes with the identifier.
pub(super) struct Property<'a> {
    pub(super) id: u8,
    pub(super) value: Value<'a>,
    pub(super) raw: &'a [u8],
}

impl<'a> Property<'a> {
    pub(super) fn number(&self) -> u32 {
        if let Value::Number(number) = self.value { number } else { 0 }
    }

    pub(super) fn two(&self) -> u16 {
        u16::try_from(self.number()).unwrap_or(u16::MAX)
    }

    /// A byte that means no or yes.
    pub(super) fn flag(&self) -> Result<bool, Fault> {
        match self.number() {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(Fault::protocol("a property must be 0 or 1")),
        }
    }

    /// A number that must not be 0.
    pub(super) fn positive(&self) -> Result<u32, Fault> {
        match self.number() {
            0 => Err(Fault::protocol("a property must not be 0")),
            number => Ok(number),
        }
    }

    pub(super) fn text(&self) -> &'a str {
        if let Value::Text(text) = self.value { text } else { "" }
    }
}

/// Reads the properties of a packet that may have those in `allowed`, and hands each to `take`.
pub(super) fn read<'a>(
    reader: &mut Reader<'a>,
    allowed: &[u8],
    take: &mut dyn FnMut(Property<'a>) -> Result<(), Fault>,
) -> Result<(), Fault> {
    let length = reader.variable()?;
    let body = reader.take(usize::try_from(length).unwrap_or(usize::MAX))?;
    let mut inner = Reader::new(body);
    let mut seen = 0u64;
    while !inner.is_empty() {
        let before = inner.rest();
        let id = inner.byte()?;
        if !allowed.contains(&id) {
            return Err(Fault::malformed("a property does not belong into this packet"));
        }
        let bit = 1u64 << (id & 0x3f);
        if id != id::USER && seen & bit != 0 {
            return Err(Fault::protocol("a property is there twice"));
        }
        seen |= bit;
        let value = match id {
            id::FORMAT | id::WANTS_PROBLEMS | id::WANTS_RESPONSE => {
                Value::Number(inner.byte()?.into())
            }
            id::KEEP_ALIVE | id::RECEIVE_MAXIMUM | id::ALIAS_MAXIMUM | id::ALIAS => {
                Value::Number(inner.two()?.into())
            }
            id::EXPIRY | id::SESSION_EXPIRY | id::WILL_DELAY | id::PACKET_MAXIMUM => {
                Value::Number(inner.four()?)
            }
            id::SUBSCRIPTION => Value::Number(inner.variable()?),
            id::CORRELATION | id::AUTH_DATA => {
                inner.bytes()?;
                Value::Other
            }
            id::USER => {
                inner.text()?;
                inner.text()?;
                Value::Other
            }
            _ => Value::Text(inner.text()?),
        };
        let raw = &before[..before.len() - inner.rest().len()];
        take(Property { id, value, raw })?;
    }
    Ok(())
}

/// What is passed on to subscribers as it came (MQTT 5, section 3.3.2.3): the sender's say on format and
/// type, where the answer goes and with what, and its own pairs. Checks what can be checked.
pub(super) fn keep(property: &Property<'_>, kept: &mut Vec<u8>) -> Result<(), Fault> {
    match property.id {
        id::FORMAT => {
            property.flag()?;
        }
        id::RESPONSE_TOPIC if property.text().contains(['+', '#']) => {
            return Err(Fault::protocol("the response topic holds a wildcard"));
        }
        _ => {}
    }
    kept.extend_from_slice(property.raw);
    Ok(())
}

/// Identifiers of what [`keep`] passes on.
pub(super) const KEPT: [u8; 5] =
    [id::FORMAT, id::CONTENT_TYPE, id::RESPONSE_TOPIC, id::CORRELATION, id::USER];
