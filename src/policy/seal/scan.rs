//! Finds sealed secrets in what goes through a call, as they are and as they are usually written: JSON
//! escapes, percent signs, base64 at any offset, hexadecimal digits, the lines of a key. Pure.
//!
//! One pass over the text whatever the number of secrets: four bytes choose which patterns are compared.
//! Whoever wants to hide a value (turned round, in parts) can; this finds what happens by mistake.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use serde_json::{Map, Value};
use std::collections::{BTreeSet, HashMap};

/// Shorter values are not searched for: they would be found everywhere.
const SHORTEST: usize = 8;
/// A line of a longer value is searched for by itself from this length on.
const LINE: usize = 24;
/// Bytes by which patterns are chosen.
const HEAD: usize = 4;
/// Places of the first sieve.
const SIEVE: usize = 1 << 13;

/// The patterns of all secrets.
#[derive(Default)]
pub(in crate::policy) struct Scan {
    names: Vec<String>,
    /// A pattern, and the secret that it is of.
    patterns: Vec<(Vec<u8>, usize)>,
    /// The patterns that begin with these bytes, longest first.
    begin: HashMap<[u8; HEAD], Vec<usize>>,
    /// Whether any pattern begins with bytes of this hash.
    sieve: Vec<bool>,
}

impl Scan {
    pub(in crate::policy) fn new<'a>(secrets: impl Iterator<Item = (&'a str, &'a str)>) -> Scan {
        let mut scan = Scan::default();
        for (name, value) in secrets.filter(|(_, value)| Scan::watches(value)) {
            let own = scan.names.len();
            scan.names.push(name.to_owned());
            scan.patterns.extend(forms(value).into_iter().map(|form| (form, own)));
        }
        if scan.patterns.is_empty() {
            return scan;
        }
        scan.patterns.sort_by_key(|(form, _)| std::cmp::Reverse(form.len()));
        scan.sieve = vec![false; SIEVE];
        for (at, (form, _)) in scan.patterns.iter().enumerate() {
            let Some(head) = head(form) else { continue };
            scan.sieve[place(head)] = true;
            scan.begin.entry(head).or_default().push(at);
        }
        scan
    }

    /// Whether a value is long enough to be searched for.
    pub(in crate::policy) fn watches(value: &str) -> bool {
        value.trim().len() >= SHORTEST
    }

    pub(in crate::policy) fn is_empty(&self) -> bool {
        self.patterns.is_empty()
    }

    /// The name of the first secret in these bytes.
    pub(in crate::policy) fn find(&self, text: &[u8]) -> Option<String> {
        self.next(text, 0).map(|(_, _, own)| self.names[own].clone())
    }

    /// The same in all texts and names of a value.
    #[cfg(test)]
    pub(in crate::policy) fn find_in(&self, value: &Value) -> Option<String> {
        match value {
            Value::String(text) => self.find(text.as_bytes()),
            // A secret of digits alone may come as a number.
            Value::Number(number) => self.find(number.to_string().as_bytes()),
            Value::Array(items) => items.iter().find_map(|item| self.find_in(item)),
            Value::Object(fields) => fields.iter().find_map(|(name, value)| {
                self.find(name.as_bytes()).or_else(|| self.find_in(value))
            }),
            Value::Null | Value::Bool(_) => None,
        }
    }

    /// Masks a text in its place; adds the names of what was found to `names`.
    pub(in crate::policy) fn mask(&self, text: &mut String, names: &mut Vec<String>) {
        let (mut out, mut done) = (String::new(), 0);
        while let Some((start, end, own)) = self.next(text.as_bytes(), done) {
            // Patterns begin and end with whole characters, so these are always there.
            out.push_str(text.get(done..start).unwrap_or_default());
            let name = &self.names[own];
            out.push_str(&format!("[sealed: {name}]"));
            if !names.contains(name) {
                names.push(name.clone());
            }
            done = end;
        }
        if done > 0 {
            out.push_str(text.get(done..).unwrap_or_default());
            *text = out;
        }
    }

    /// The same in all texts and names of a value.
    pub(in crate::policy) fn mask_in(&self, value: &mut Value, names: &mut Vec<String>) {
        match value {
            Value::String(text) => self.mask(text, names),
            Value::Number(number) => {
                let mut text = number.to_string();
                let before = names.len();
                self.mask(&mut text, names);
                if names.len() > before || text.starts_with("[sealed") {
                    *value = Value::String(text);
                }
            }
            Value::Array(items) => items.iter_mut().for_each(|item| self.mask_in(item, names)),
            Value::Object(fields) => {
                if fields.keys().any(|name| self.find(name.as_bytes()).is_some()) {
                    let renamed = std::mem::take(fields).into_iter().map(|(mut name, value)| {
                        self.mask(&mut name, names);
                        (name, value)
                    });
                    *fields = renamed.collect::<Map<_, _>>();
                }
                fields.values_mut().for_each(|value| self.mask_in(value, names));
            }
            Value::Null | Value::Bool(_) => {}
        }
    }

    /// The next pattern from `from` on: where it begins and ends, and whose it is.
    fn next(&self, text: &[u8], from: usize) -> Option<(usize, usize, usize)> {
        if self.is_empty() {
            return None;
        }
        for (at, window) in text.windows(HEAD).enumerate().skip(from) {
            let Some(head) = head(window).filter(|head| self.sieve[place(*head)]) else { continue };
            let rest = &text[at..];
            let begin = self.begin.get(&head).map(Vec::as_slice).unwrap_or_default();
            let found = begin.iter().find(|n| rest.starts_with(&self.patterns[**n].0));
            if let Some((form, own)) = found.map(|n| &self.patterns[*n]) {
                return Some((at, at + form.len(), *own));
            }
        }
        None
    }
}

fn head(bytes: &[u8]) -> Option<[u8; HEAD]> {
    bytes.get(..HEAD)?.try_into().ok()
}

/// A place in the sieve (Knuth's multiplicative hash).
fn place(head: [u8; HEAD]) -> usize {
    let spread = u32::from_le_bytes(head).wrapping_mul(0x9e37_79b1);
    (spread >> 19) as usize % SIEVE
}

/// How a value may be written.
fn forms(value: &str) -> BTreeSet<Vec<u8>> {
    let value = value.trim();
    let mut forms: BTreeSet<Vec<u8>> = BTreeSet::new();
    let mut texts = vec![value];
    if value.contains('\n') {
        let is_own = |line: &&str| line.len() >= LINE && !line.starts_with("-----");
        texts.extend(value.lines().map(str::trim).filter(is_own));
    }
    for text in texts {
        forms.insert(text.as_bytes().to_vec());
        let quoted = Value::from(text).to_string();
        forms.insert(quoted.trim_matches('"').as_bytes().to_vec());
        forms.insert(crate::text::percent(text).into_bytes());
        let digits = crate::text::hex(text.as_bytes());
        forms.insert(digits.to_uppercase().into_bytes());
        forms.insert(digits.into_bytes());
        for before in 0..3 {
            forms.insert(base64_core(text, before, |bytes| STANDARD_NO_PAD.encode(bytes)));
            forms.insert(base64_core(text, before, |bytes| URL_SAFE_NO_PAD.encode(bytes)));
        }
    }
    forms.retain(|form| form.len() >= SHORTEST);
    forms
}

/// The characters of base64 (RFC 4648) that depend on the text alone when so many bytes stand before it.
fn base64_core(text: &str, before: usize, encode: fn(&[u8]) -> String) -> Vec<u8> {
    let bytes = [&[0u8; 3][..before], text.as_bytes()].concat();
    let (first, last) = ((before * 8).div_ceil(6), bytes.len() * 8 / 6);
    encode(&bytes).into_bytes().get(first..last).unwrap_or_default().to_vec()
}
