//! The payload of a Sparkplug B message: a small reader of its Protocol Buffers, with bounds. Pure.
//!
//! Source: Sparkplug 3.0, section 6.4 (payload, metric, data types); Protocol Buffers, "Encoding".
//! Data sets, templates and properties are stepped over; of a metric with one only its size is told.

/// More metrics than this in one payload are not read.
const MOST_METRICS: usize = 10_000;
/// Longer names are no names.
const LONGEST_NAME: usize = 1024;

/// A payload.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Payload {
    /// Milliseconds since 1970.
    pub(crate) timestamp: Option<u64>,
    pub(crate) metrics: Vec<Metric>,
    /// 0 to 255; deaths have none.
    pub(crate) seq: Option<u64>,
    pub(crate) body_bytes: usize,
}

/// One value.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Metric {
    /// A birth names it; later messages may give the alias alone.
    pub(crate) name: Option<String>,
    pub(crate) alias: Option<u64>,
    /// Milliseconds since 1970.
    pub(crate) timestamp: Option<u64>,
    /// See [`type_word`].
    pub(crate) datatype: Option<u64>,
    pub(crate) is_historical: bool,
    pub(crate) value: Value,
}

/// What a metric holds.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) enum Value {
    /// Null, or nothing.
    #[default]
    None,
    Int(i64),
    UInt(u64),
    Float(f64),
    Bool(bool),
    Text(String),
    /// Bytes, a data set or a template: so many bytes.
    Bytes(usize),
}

impl Value {
    /// Returns it as JSON. Numbers that JSON cannot hold are texts.
    pub(crate) fn json(&self) -> serde_json::Value {
        use serde_json::Value as Json;
        match self {
            Value::None => Json::Null,
            Value::Int(n) => (*n).into(),
            Value::UInt(n) => (*n).into(),
            Value::Float(n) => serde_json::Number::from_f64(*n)
                .map_or_else(|| Json::String(n.to_string()), Json::Number),
            Value::Bool(yes) => (*yes).into(),
            Value::Text(text) => text.clone().into(),
            Value::Bytes(size) => format!("{size} bytes").into(),
        }
    }
}

/// Returns the name of a data type (section 6.4.16).
pub(crate) fn type_word(number: Option<u64>) -> &'static str {
    const WORDS: [&str; 20] = [
        "Unknown", "Int8", "Int16", "Int32", "Int64", "UInt8", "UInt16", "UInt32", "UInt64",
        "Float", "Double", "Boolean", "String", "DateTime", "Text", "UUID", "DataSet", "Bytes",
        "File", "Template",
    ];
    let known = number.and_then(|n| usize::try_from(n).ok()).and_then(|n| WORDS.get(n));
    match number {
        Some(22..=34) => "Array",
        _ => known.copied().unwrap_or("Unknown"),
    }
}

/// Reads a payload.
///
/// # Errors
/// Says where it is no payload.
pub(crate) fn decode(bytes: &[u8]) -> Result<Payload, &'static str> {
    let mut payload = Payload::default();
    let mut fields = Fields(bytes);
    while let Some((number, field)) = fields.next()? {
        match (number, field) {
            (1, Field::Number(at)) => payload.timestamp = Some(at),
            (2, Field::Bytes(metric)) => {
                if payload.metrics.len() == MOST_METRICS {
                    return Err("it has more than 10,000 metrics");
                }
                payload.metrics.push(metric_of(metric)?);
            }
            (3, Field::Number(seq)) => payload.seq = Some(seq),
            (5, Field::Bytes(body)) => payload.body_bytes = body.len(),
            _ => {}
        }
    }
    Ok(payload)
}

fn metric_of(bytes: &[u8]) -> Result<Metric, &'static str> {
    let mut metric = Metric::default();
    let (mut is_null, mut raw) = (false, Raw::None);
    let mut fields = Fields(bytes);
    while let Some((number, field)) = fields.next()? {
        match (number, field) {
            (1, Field::Bytes(name)) => {
                if name.len() > LONGEST_NAME {
                    return Err("a metric's name is longer than 1,024 bytes");
                }
                let name = std::str::from_utf8(name).map_err(|_| "a metric's name is no UTF-8")?;
                metric.name = Some(name.to_owned());
            }
            (2, Field::Number(alias)) => metric.alias = Some(alias),
            (3, Field::Number(at)) => metric.timestamp = Some(at),
            (4, Field::Number(kind)) => metric.datatype = Some(kind),
            (5, Field::Number(yes)) => metric.is_historical = yes != 0,
            (7, Field::Number(yes)) => is_null = yes != 0,
            (10 | 11, Field::Number(n)) => raw = Raw::Number(n, number == 10),
            (12, Field::Four(bits)) => raw = Raw::Value(Value::Float(f32::from_bits(bits).into())),
            (13, Field::Eight(bits)) => raw = Raw::Value(Value::Float(f64::from_bits(bits))),
            (14, Field::Number(yes)) => raw = Raw::Value(Value::Bool(yes != 0)),
            (15, Field::Bytes(text)) => {
                let text = std::str::from_utf8(text).map_err(|_| "a metric's text is no UTF-8")?;
                raw = Raw::Value(Value::Text(text.to_owned()));
            }
            (16..=18, Field::Bytes(bytes)) => raw = Raw::Value(Value::Bytes(bytes.len())),
            _ => {}
        }
    }
    metric.value = match raw {
        _ if is_null => Value::None,
        Raw::None => Value::None,
        Raw::Value(value) => value,
        Raw::Number(n, is_short) => integer(n, is_short, metric.datatype),
    };
    Ok(metric)
}

enum Raw {
    None,
    Value(Value),
    /// And whether it stood in `int_value`, which has 32 bits.
    Number(u64, bool),
}

/// Signed types travel as two's complement in unsigned fields (section 6.4.16). Without a type, as in
/// data by alias, the bits alone do not say; the caller knows the type from the birth.
fn integer(n: u64, is_short: bool, datatype: Option<u64>) -> Value {
    // Some senders widen a negative number to ten bytes, others keep its own width.
    match datatype {
        Some(1) => Value::Int(i64::from(n as u8 as i8)),
        Some(2) => Value::Int(i64::from(n as u16 as i16)),
        Some(3) => Value::Int(i64::from(n as u32 as i32)),
        Some(4) => Value::Int(n as i64),
        _ if is_short => Value::UInt(n & u64::from(u32::MAX)),
        _ => Value::UInt(n),
    }
}

#[cfg(test)]
impl Metric {
    /// Returns the value as the type that its birth gave it says.
    fn value_as(&self, datatype: Option<u64>) -> Value {
        match (&self.value, self.datatype.or(datatype)) {
            (Value::UInt(n), kind) if self.datatype.is_none() => integer(*n, false, kind),
            (value, _) => value.clone(),
        }
    }
}

enum Field<'a> {
    Number(u64),
    Eight(u64),
    Four(u32),
    Bytes(&'a [u8]),
}

struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    /// Returns the next field and its number.
    fn next(&mut self) -> Result<Option<(u64, Field<'a>)>, &'static str> {
        if self.0.is_empty() {
            return Ok(None);
        }
        let key = self.varint()?;
        let number = key >> 3;
        if number == 0 {
            return Err("a field has the number 0");
        }
        let field = match key & 7 {
            0 => Field::Number(self.varint()?),
            1 => Field::Eight(u64::from_le_bytes(self.fixed()?)),
            2 => {
                let length = usize::try_from(self.varint()?).map_err(|_| CUT)?;
                Field::Bytes(self.take(length)?)
            }
            5 => Field::Four(u32::from_le_bytes(self.fixed()?)),
            // Groups (3 and 4) are in no Sparkplug message.
            _ => return Err("a field has an unknown wire type"),
        };
        Ok(Some((number, field)))
    }

    fn varint(&mut self) -> Result<u64, &'static str> {
        let mut value = 0u64;
        for shift in (0..70).step_by(7) {
            let byte = self.take(1)?[0];
            let bits = u64::from(byte & 0x7f);
            if shift == 63 && bits > 1 {
                return Err("a number has more than 64 bits");
            }
            value |= bits << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err("a number has more than ten bytes")
    }

    fn fixed<const N: usize>(&mut self) -> Result<[u8; N], &'static str> {
        self.take(N)?.try_into().map_err(|_| CUT)
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], &'static str> {
        let (taken, rest) = self.0.split_at_checked(length).ok_or(CUT)?;
        self.0 = rest;
        Ok(taken)
    }
}

const CUT: &str = "it ends in the middle of a field";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_payload_written_by_hand_is_read() {
        // timestamp 5, metric { name "a", alias 1, datatype Int8, int_value 0xff }, seq 7
        let bytes = [8, 5, 18, 10, 10, 1, b'a', 16, 1, 32, 1, 80, 0xff, 1, 24, 7];
        let payload = decode(&bytes).unwrap();
        assert_eq!((payload.timestamp, payload.seq), (Some(5), Some(7)));
        let metric = &payload.metrics[0];
        assert_eq!((metric.name.as_deref(), metric.alias), (Some("a"), Some(1)));
        assert_eq!((metric.value.clone(), type_word(metric.datatype)), (Value::Int(-1), "Int8"));
    }

    /// The file is what pysparkplug says; `tests/it/mqtt/devices/kinds.rs` checks that it still does.
    #[test]
    fn what_an_encoder_of_others_wrote_is_read_value_for_value() {
        let file = include_str!("../../../../tests/data/sparkplug.jsonl");
        let mut types = std::collections::HashMap::new();
        let mut values = 0;
        for line in file.lines() {
            let line: serde_json::Value = serde_json::from_str(line).unwrap();
            let hex = line["hex"].as_str().unwrap();
            let byte = |at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap();
            let bytes: Vec<u8> = (0..hex.len()).step_by(2).map(byte).collect();
            let payload = decode(&bytes).unwrap();
            assert_eq!(payload.seq, line["seq"].as_u64());
            let wanted = line["metrics"].as_array().unwrap();
            assert_eq!(payload.metrics.len(), wanted.len());
            for (metric, wanted) in payload.metrics.iter().zip(wanted) {
                if let (Some(name), Some(alias)) = (&metric.name, metric.alias) {
                    assert_eq!(wanted[0], **name);
                    types.insert(alias, metric.datatype);
                }
                let known = metric.alias.and_then(|alias| types[&alias]);
                let datatype = metric.datatype.or(known);
                assert_eq!(type_word(datatype), wanted[1].as_str().unwrap());
                assert_eq!(metric.value_as(known).json(), wanted[2], "{metric:?}");
                values += 1;
            }
        }
        assert!(values > 90, "{values}");
    }

    #[test]
    fn garbage_is_refused_and_never_panics() {
        for bytes in [&[0x80][..], &[18, 5, 1], &[0xff; 12], &[0], &[11, 1], &[13, 1, 2]] {
            assert!(decode(bytes).is_err(), "{bytes:?}");
        }
        let mut seed = 7u64;
        for _ in 0..20_000 {
            let bytes: Vec<u8> = (0..seed % 40)
                .map(|_| {
                    seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                    (seed >> 33) as u8
                })
                .collect();
            let _ = decode(&bytes);
            seed = seed.wrapping_add(1);
        }
    }
}
