//! CBOR (RFC 8949) as JSON. Pure.

use crate::mqtt::decode::{Bytes, bytes, key};
use serde_json::{Map, Value, json};

/// The byte that ends what has no length.
const BREAK: u8 = 0xff;

/// Reads one value that takes all of the bytes.
pub(super) fn read(payload: &[u8]) -> Option<Value> {
    let mut bytes = Bytes::new(payload);
    let value = value(&mut bytes)?;
    bytes.left.is_empty().then_some(value)
}

fn value(from: &mut Bytes<'_>) -> Option<Value> {
    let first = from.byte()?;
    let (major, short) = (first >> 5, first & 0x1f);
    if major == 7 {
        return simple(from, short);
    }
    // Section 3.2: a length that is not known yet.
    if short == 31 {
        return endless(from, major);
    }
    let number = argument(from, short)?;
    match major {
        0 => Some(number.into()),
        1 => Some(match i64::try_from(number) {
            Ok(number) => (-1 - number).into(),
            #[allow(clippy::cast_precision_loss, reason = "JSON's readers lose it too")]
            Err(_) => json!(-1.0 - number as f64),
        }),
        2 => from.take(count(from, number)?).map(bytes),
        3 => from.text(count(from, number)?),
        4 => {
            let count = count(from, number)?;
            from.within(|from| {
                (0..count).map(|_| value(from)).collect::<Option<Vec<_>>>().map(Value::from)
            })
        }
        5 => {
            let count = count(from, number)?;
            from.within(|from| {
                let mut fields = Map::new();
                (0..count).try_for_each(|_| field(from, &mut fields))?;
                Some(fields.into())
            })
        }
        _ => {
            let inner = from.within(value)?;
            // Section 3.4: times and "this is CBOR" say nothing that the value does not.
            Some(if matches!(number, 0 | 1 | 55799) {
                inner
            } else {
                json!({ "tag": number, "value": inner })
            })
        }
    }
}

fn argument(from: &mut Bytes<'_>, short: u8) -> Option<u64> {
    match short {
        0..=23 => Some(short.into()),
        24..=27 => from.number(1 << (short - 24)),
        _ => None,
    }
}

/// A count of things of at least one byte each: more than there are bytes cannot be.
fn count(from: &Bytes<'_>, number: u64) -> Option<usize> {
    usize::try_from(number).ok().filter(|count| *count <= from.left.len())
}

fn field(from: &mut Bytes<'_>, fields: &mut Map<String, Value>) -> Option<()> {
    let name = key(value(from)?);
    fields.insert(name, value(from)?);
    Some(())
}

fn ends(from: &mut Bytes<'_>) -> bool {
    let is_end = from.left.first() == Some(&BREAK);
    if is_end {
        from.left = &from.left[1..];
    }
    is_end
}

fn endless(from: &mut Bytes<'_>, major: u8) -> Option<Value> {
    from.within(|from| match major {
        2 | 3 => {
            let mut all = Vec::new();
            while !ends(from) {
                let first = from.byte()?;
                if first >> 5 != major {
                    return None;
                }
                let length = argument(from, first & 0x1f)?;
                all.extend_from_slice(from.take(count(from, length)?)?);
            }
            if major == 2 {
                Some(bytes(&all))
            } else {
                String::from_utf8(all).ok().map(Value::from)
            }
        }
        4 => {
            let mut items = Vec::new();
            while !ends(from) {
                items.push(value(from)?);
            }
            Some(items.into())
        }
        5 => {
            let mut fields = Map::new();
            while !ends(from) {
                field(from, &mut fields)?;
            }
            Some(fields.into())
        }
        _ => None,
    })
}

fn simple(from: &mut Bytes<'_>, short: u8) -> Option<Value> {
    match short {
        20 => Some(false.into()),
        21 => Some(true.into()),
        22 | 23 => Some(Value::Null),
        25 => Some(json!(half(u16::try_from(from.number(2)?).ok()?))),
        26 => Some(json!(f32::from_bits(u32::try_from(from.number(4)?).ok()?))),
        27 => Some(json!(f64::from_bits(from.number(8)?))),
        _ => None,
    }
}

/// A number of half precision (IEEE 754 binary16; RFC 8949, appendix D).
fn half(bits: u16) -> f64 {
    let (exponent, fraction) = (i32::from(bits >> 10 & 0x1f), f64::from(bits & 0x3ff));
    let size = match exponent {
        0 => fraction * 2_f64.powi(-24),
        31 if fraction == 0.0 => f64::INFINITY,
        31 => f64::NAN,
        _ => (fraction + 1024.0) * 2_f64.powi(exponent - 25),
    };
    if bits & 0x8000 == 0 { size } else { -size }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_examples_of_the_standard_are_read() {
        // RFC 8949, appendix A.
        for (payload, want) in [
            (&b"\x17"[..], json!(23)),
            (b"\x18\x18", json!(24)),
            (b"\x1a\x00\x0f\x42\x40", json!(1_000_000)),
            (b"\x1b\xff\xff\xff\xff\xff\xff\xff\xff", json!(u64::MAX)),
            (b"\x20", json!(-1)),
            (b"\x39\x03\xe7", json!(-1000)),
            (b"\xf9\x00\x00", json!(0.0)),
            (b"\xf9\x3e\x00", json!(1.5)),
            (b"\xf9\x7b\xff", json!(65504.0)),
            (b"\xf9\x00\x01", json!(5.960_464_477_539_063e-8)),
            (b"\xf9\xc4\x00", json!(-4.0)),
            (b"\xfa\x47\xc3\x50\x00", json!(100_000.0)),
            (b"\xfb\x3f\xf1\x99\x99\x99\x99\x99\x9a", json!(1.1)),
            (b"\xf9\x7c\x00", Value::Null),
            (b"\xf4", json!(false)),
            (b"\xf6", json!(null)),
            (b"\xc0\x74\x32\x30\x31\x33-03-21T20:04:00Z", json!("2013-03-21T20:04:00Z")),
            (b"\xc1\x1a\x51\x4b\x67\xb0", json!(1_363_896_240)),
            (b"\xd8\x20\x61a", json!({"tag": 32, "value": "a"})),
            (b"\x44\x01\x02\x03\x04", json!("AQIDBA==")),
            ("bü".as_bytes(), json!("ü")),
            (b"\x64IETF", json!("IETF")),
            (b"\x83\x01\x82\x02\x03\x80", json!([1, [2, 3], []])),
            (b"\xa2\x61a\x01\x61b\x82\x02\x03", json!({"a": 1, "b": [2, 3]})),
            (b"\x5f\x42\x01\x02\x41\x03\xff", json!("AQID")),
            (b"\x7f\x65strea\x64ming\xff", json!("streaming")),
            (b"\x9f\x01\x82\x02\x03\xff", json!([1, [2, 3]])),
            (b"\xbf\x61a\x01\xff", json!({"a": 1})),
        ] {
            assert_eq!(read(payload), Some(want), "{payload:?}");
        }
        for payload in
            [&b""[..], b"\x1c", b"\x62a", b"\x9f\x01", b"\x01\x01", b"\xff", b"\x7f\x41a\xff"]
        {
            assert_eq!(read(payload), None, "{payload:?}");
        }
    }
}
