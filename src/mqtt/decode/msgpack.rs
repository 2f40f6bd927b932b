//! MessagePack (github.com/msgpack/msgpack, spec.md) as JSON. Pure.

use crate::mqtt::decode::{Bytes, bytes, key};
use serde_json::{Map, Value, json};

/// Reads one value that takes all of the bytes.
pub(super) fn read(payload: &[u8]) -> Option<Value> {
    let mut bytes = Bytes::new(payload);
    let value = value(&mut bytes)?;
    bytes.left.is_empty().then_some(value)
}

fn value(from: &mut Bytes<'_>) -> Option<Value> {
    let first = from.byte()?;
    match first {
        0x00..=0x7f => Some(first.into()),
        0x80..=0x8f => map(from, usize::from(first & 0x0f)),
        0x90..=0x9f => list(from, usize::from(first & 0x0f)),
        0xa0..=0xbf => from.text(usize::from(first & 0x1f)),
        0xc0 => Some(Value::Null),
        0xc1 => None,
        0xc2 => Some(false.into()),
        0xc3 => Some(true.into()),
        0xc4..=0xc6 => {
            let length = from.count(1 << (first - 0xc4))?;
            from.take(length).map(bytes)
        }
        0xc7..=0xc9 => {
            let length = from.count(1 << (first - 0xc7))?;
            extension(from, length)
        }
        0xca => {
            let bits = u32::try_from(from.number(4)?).ok()?;
            Some(json!(f32::from_bits(bits)))
        }
        0xcb => Some(json!(f64::from_bits(from.number(8)?))),
        0xcc..=0xcf => from.number(1 << (first - 0xcc)).map(Value::from),
        0xd0..=0xd3 => {
            let width = 1_usize << (first - 0xd0);
            let unused = 64 - 8 * u32::try_from(width).ok()?;
            let number = from.number(width)? << unused;
            Some((number.cast_signed() >> unused).into())
        }
        0xd4..=0xd8 => extension(from, 1 << (first - 0xd4)),
        0xd9..=0xdb => {
            let length = from.count(1 << (first - 0xd9))?;
            from.text(length)
        }
        0xdc | 0xdd => {
            let count = from.count(2 << (first - 0xdc))?;
            list(from, count)
        }
        0xde | 0xdf => {
            let count = from.count(2 << (first - 0xde))?;
            map(from, count)
        }
        0xe0..=0xff => Some(first.cast_signed().into()),
    }
}

fn list(from: &mut Bytes<'_>, count: usize) -> Option<Value> {
    from.within(|from| (0..count).map(|_| value(from)).collect::<Option<Vec<_>>>().map(Value::from))
}

fn map(from: &mut Bytes<'_>, count: usize) -> Option<Value> {
    from.within(|from| {
        let mut fields = Map::new();
        for _ in 0..count {
            let name = key(value(from)?);
            fields.insert(name, value(from)?);
        }
        Some(fields.into())
    })
}

fn extension(from: &mut Bytes<'_>, length: usize) -> Option<Value> {
    let kind = from.byte()?.cast_signed();
    Some(json!({ "extension": kind, "base64": bytes(from.take(length)?) }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_format_of_the_specification_is_read() {
        for (payload, want) in [
            (&b"\x7f"[..], json!(127)),
            (b"\xff", json!(-1)),
            (b"\xcc\xff", json!(255)),
            (b"\xcd\x01\x00", json!(256)),
            (b"\xce\xff\xff\xff\xff", json!(4_294_967_295_u32)),
            (b"\xcf\xff\xff\xff\xff\xff\xff\xff\xff", json!(u64::MAX)),
            (b"\xd0\x80", json!(-128)),
            (b"\xd1\x80\x00", json!(-32768)),
            (b"\xd2\xff\xff\xff\xfe", json!(-2)),
            (b"\xd3\x80\x00\x00\x00\x00\x00\x00\x00", json!(i64::MIN)),
            (b"\xca\x3f\xc0\x00\x00", json!(1.5)),
            (b"\xcb\x3f\xf8\x00\x00\x00\x00\x00\x00", json!(1.5)),
            (b"\xa2on", json!("on")),
            (b"\xd9\x02on", json!("on")),
            (b"\xda\x00\x02on", json!("on")),
            (b"\xdb\x00\x00\x00\x02on", json!("on")),
            (b"\xc4\x01\xff", json!("/w==")),
            (b"\xc5\x00\x01\xff", json!("/w==")),
            (b"\xdc\x00\x01\xc0", json!([null])),
            (b"\xdd\x00\x00\x00\x01\xc2", json!([false])),
            (b"\xde\x00\x01\xa1a\x90", json!({"a": []})),
            (b"\xdf\x00\x00\x00\x01\xa1a\x80", json!({"a": {}})),
            (b"\x81\x07\x08", json!({"7": 8})),
            (b"\xd4\x05\x01", json!({"extension": 5, "base64": "AQ=="})),
            (b"\xd6\xff\x00\x00\x00\x00", json!({"extension": -1, "base64": "AAAAAA=="})),
            (b"\xc7\x01\x05\x01", json!({"extension": 5, "base64": "AQ=="})),
        ] {
            assert_eq!(read(payload), Some(want), "{payload:?}");
        }
        for payload in [&b""[..], b"\xc1", b"\xa2o", b"\x81\xa1a", b"\x01\x01", b"\xa1\xff"] {
            assert_eq!(read(payload), None, "{payload:?}");
        }
    }
}
