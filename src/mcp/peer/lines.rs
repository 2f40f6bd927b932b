//! Lines of a stranger: cut at newlines, with a largest size.

use std::io;
use tokio::io::{AsyncBufReadExt as _, AsyncRead, BufReader};

/// Of a line that is too long so much of both ends is kept, to find whose answer it was.
const ENDS: usize = 256;

/// What comes.
pub(super) enum Line {
    /// A whole line, without its newline; never empty.
    Whole(Vec<u8>),
    /// The two ends of a line that was too long.
    TooLong(Vec<u8>),
}

/// Reads lines.
pub(super) struct Lines {
    read: BufReader<Box<dyn AsyncRead + Send + Unpin>>,
    most: usize,
    line: Vec<u8>,
    /// The last bytes of a line that is too long; its first stand in `line`.
    tail: Option<Vec<u8>>,
}

impl Lines {
    pub(super) fn new(read: Box<dyn AsyncRead + Send + Unpin>, most: usize) -> Lines {
        Lines { read: BufReader::new(read), most, line: Vec::new(), tail: None }
    }

    /// The next line, and how many bytes were read for it; `None` at the end.
    ///
    /// # Errors
    /// What the pipe says.
    pub(super) async fn next(&mut self) -> io::Result<Option<(Line, u64)>> {
        let mut count = 0;
        loop {
            let read = self.read.fill_buf().await?;
            if read.is_empty() {
                // Half a line at the end is none.
                return Ok(None);
            }
            let end = read.iter().position(|byte| *byte == b'\n');
            let part = &read[..end.unwrap_or(read.len())];
            match &mut self.tail {
                None if self.line.len() + part.len() > self.most => {
                    self.line.extend_from_slice(&part[..part.len().min(ENDS)]);
                    self.line.truncate(ENDS);
                    self.tail = Some(last(Vec::new(), part));
                }
                None => self.line.extend_from_slice(part),
                Some(tail) => *tail = last(std::mem::take(tail), part),
            }
            let used = end.map_or(read.len(), |end| end + 1);
            self.read.consume(used);
            count += used as u64;
            if end.is_none() {
                continue;
            }
            let mut line = std::mem::take(&mut self.line);
            if let Some(tail) = self.tail.take() {
                line.extend_from_slice(&tail);
                return Ok(Some((Line::TooLong(line), count)));
            }
            if !line.trim_ascii().is_empty() {
                return Ok(Some((Line::Whole(line), count)));
            }
        }
    }
}

/// The last bytes of `before` and `part` together.
fn last(mut before: Vec<u8>, part: &[u8]) -> Vec<u8> {
    before.extend_from_slice(&part[part.len().saturating_sub(ENDS)..]);
    before.split_off(before.len().saturating_sub(ENDS))
}

/// The id of the answer whose two ends these are: written first or last, as everybody does.
pub(super) fn id_in(ends: &[u8]) -> Option<u64> {
    let text = String::from_utf8_lossy(ends);
    let number = |at: usize| {
        let rest = text[at + 4..].trim_start().strip_prefix(':')?.trim_start();
        let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
        digits.parse().ok()
    };
    text.match_indices("\"id\"").find_map(|(at, _)| number(at))
}
