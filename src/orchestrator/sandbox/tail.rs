//! The last of what a sandbox wrote to stderr, within a bound.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

/// Most bytes that are kept.
const BYTES: usize = 64 << 10;
/// A longer line is cut here, and says so.
const LINE: usize = 2048;

/// The last lines of a stream. Cloning it shares it.
#[derive(Clone, Debug, Default)]
pub struct Tail {
    kept: Arc<Mutex<Kept>>,
}

#[derive(Debug, Default)]
struct Kept {
    lines: VecDeque<String>,
    bytes: usize,
    /// The line that has no end yet.
    open: Vec<u8>,
    /// Bytes of the open line beyond [`LINE`].
    over: u64,
    dropped: u64,
}

impl Tail {
    /// Takes bytes as they come.
    pub fn push(&self, bytes: &[u8]) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        for (at, part) in bytes.split(|b| *b == b'\n').enumerate() {
            if at > 0 {
                kept.close();
            }
            let room = LINE.saturating_sub(kept.open.len()).min(part.len());
            kept.open.extend_from_slice(&part[..room]);
            kept.over += (part.len() - room) as u64;
        }
    }

    /// Returns the kept lines, oldest first, control characters escaped, and how many were dropped
    /// before them.
    pub fn lines(&self) -> (Vec<String>, u64) {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let mut lines: Vec<String> = kept.lines.iter().cloned().collect();
        if !kept.open.is_empty() {
            lines.push(kept.shown());
        }
        (lines, kept.dropped)
    }
}

impl Kept {
    fn shown(&self) -> String {
        let text = String::from_utf8_lossy(&self.open);
        let mut line: String = text
            .trim_end_matches('\r')
            .chars()
            .flat_map(|c| match c.is_control() && c != '\t' {
                true => c.escape_default().collect::<Vec<char>>(),
                false => vec![c],
            })
            .collect();
        if self.over > 0 {
            line.push_str(&format!(" … ({} bytes more)", self.over));
        }
        line
    }

    fn close(&mut self) {
        let line = self.shown();
        self.open.clear();
        self.over = 0;
        self.bytes += line.len();
        self.lines.push_back(line);
        while self.bytes > BYTES {
            let Some(first) = self.lines.pop_front() else { break };
            self.bytes -= first.len();
            self.dropped += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_arrives_in_parts_and_control_characters_are_escaped() {
        let tail = Tail::default();
        tail.push(b"half");
        tail.push(b" and half\r\n\x1b[31mred\n");
        tail.push(b"open");
        assert_eq!(
            tail.lines(),
            (vec!["half and half".into(), "\\u{1b}[31mred".into(), "open".into()], 0)
        );
    }

    #[test]
    fn it_stays_within_its_bound_and_counts_what_it_dropped() {
        let tail = Tail::default();
        for n in 0..2000 {
            tail.push(format!("line {n:04} {}\n", "x".repeat(90)).as_bytes());
        }
        let (lines, dropped) = tail.lines();
        assert!(lines.iter().map(String::len).sum::<usize>() <= BYTES);
        assert_eq!(lines.len() as u64 + dropped, 2000);
        assert!(lines.last().is_some_and(|line| line.starts_with("line 1999")));
    }

    #[test]
    fn a_line_without_end_is_cut_and_says_how_much_is_missing() {
        let tail = Tail::default();
        tail.push(&[b'a'; 5000]);
        tail.push(b"\n");
        let (lines, _) = tail.lines();
        assert_eq!(lines.len(), 1);
        assert!(lines[0].ends_with(" … (2952 bytes more)"), "{}", &lines[0][2000..]);
    }
}
