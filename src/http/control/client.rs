//! The command line's end of the control socket. Blocking, without a runtime: it is used for one
//! question by a program that then ends.

use crate::error::Error;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

/// An answer may be this large, head included.
const ANSWER_MAX: u64 = 4 << 20;
/// Time for each read and write.
const WAIT: Duration = Duration::from_secs(30);

/// What the running Hearth said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// The body, as it came.
    pub body: Vec<u8>,
}

/// Asks the Hearth that runs in `folder`. `body`, when there is one, is sent as JSON.
///
/// # Errors
/// Offline when none runs there, Refused when this user may not, Timeout, Limit, Broken.
pub fn ask(
    folder: &Path,
    method: &str,
    target: &str,
    body: Option<&[u8]>,
) -> Result<Answer, Error> {
    let path = folder.join(crate::http::control::SOCKET);
    let mut stream = UnixStream::connect(&path).map_err(|e| absent(&path, e))?;
    let cut = |e: std::io::Error| match e.kind() {
        std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut => {
            Error::timeout("the running Hearth did not answer in time")
        }
        _ => Error::broken("the running Hearth hung up").because(e),
    };
    stream.set_read_timeout(Some(WAIT)).and(stream.set_write_timeout(Some(WAIT))).map_err(cut)?;
    let body = body.unwrap_or_default();
    let head = format!(
        "{method} {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).and(stream.write_all(body)).map_err(cut)?;
    let mut raw = Vec::new();
    stream.take(ANSWER_MAX + 1).read_to_end(&mut raw).map_err(cut)?;
    if raw.len() as u64 > ANSWER_MAX {
        return Err(Error::limit("the running Hearth answered with more than 4 MiB"));
    }
    read_answer(&raw).ok_or_else(|| Error::broken("the running Hearth's answer is incomplete"))
}

fn absent(path: &Path, e: std::io::Error) -> Error {
    match e.kind() {
        std::io::ErrorKind::NotFound | std::io::ErrorKind::ConnectionRefused => {
            let path = path.display();
            Error::offline(format!("no Hearth is running ({path}); start it with `hearth serve`"))
        }
        std::io::ErrorKind::PermissionDenied => Error::refused(format!(
            "this user may not use {}; run the command as the user that runs Hearth",
            path.display()
        )),
        _ => Error::offline(format!("cannot reach {}", path.display())).because(e),
    }
}

/// The engine marks the end of an answer with a length or, for streams, by hanging up.
fn read_answer(raw: &[u8]) -> Option<Answer> {
    let end = raw.windows(4).position(|w| w == b"\r\n\r\n")?;
    let head = std::str::from_utf8(raw.get(..end)?).ok()?;
    let body = raw.get(end + 4..)?;
    let mut lines = head.split("\r\n");
    let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
    let length = lines.find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())?
    });
    let whole = length.is_none_or(|length| length == body.len());
    whole.then(|| Answer { status, body: body.to_vec() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cut_answer_is_noticed() {
        let answer = |text: &str| read_answer(text.as_bytes()).map(|a| (a.status, a.body.len()));
        assert_eq!(answer("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"), Some((200, 2)));
        assert_eq!(answer("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok"), None);
        assert_eq!(answer("HTTP/1.1 204 No Content\r\n\r\n"), Some((204, 0)));
        assert_eq!(answer("HTTP/1.1 200 OK\r\n"), None);
    }

    #[test]
    fn a_missing_hearth_is_said() {
        let e = ask(Path::new("/nowhere"), "GET", "/health", None).unwrap_err();
        assert!(e.to_string().contains("no Hearth is running (/nowhere/control.sock)"), "{e}");
    }
}
