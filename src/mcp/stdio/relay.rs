//! `hearth mcp` with a daemon: stdin and stdout of this process are connected to the local socket.

use crate::error::Error;
use crate::mcp::stdio::Hello;
use std::io::ErrorKind;
use std::path::Path;
use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncWrite, AsyncWriteExt as _, BufReader};
use tokio::net::UnixStream;

/// Connects to the daemon's socket at `path`; `None` when no daemon listens there.
///
/// # Errors
/// Refused when this user may not see or use the socket: a daemon may well be there.
pub async fn dial(path: &Path) -> Result<Option<UnixStream>, Error> {
    match UnixStream::connect(path).await {
        Ok(line) => Ok(Some(line)),
        Err(e) if e.kind() == ErrorKind::PermissionDenied => Err(Error::refused(format!(
            "this user may not use {}; run the command as the user that runs Hearth, or give a data \
             folder of your own with --data-dir",
            path.display()
        ))),
        Err(_) => Ok(None),
    }
}

/// Carries MCP between this process's stdin and stdout and the daemon at the other end of `line`.
///
/// Ends well when stdin ends and the daemon has answered what was asked.
///
/// # Errors
/// What the daemon says against `hello`; Offline when the daemon goes away first.
pub async fn relay(line: UnixStream, hello: &Hello) -> Result<(), Error> {
    let (stdin, stdout) = rmcp::transport::stdio_pipes();
    carry(line, hello, stdin, stdout).await
}

async fn carry(
    line: UnixStream,
    hello: &Hello,
    mut stdin: impl AsyncRead + Unpin,
    mut stdout: impl AsyncWrite + Unpin,
) -> Result<(), Error> {
    let gone = |e: std::io::Error| Error::offline("the Hearth that runs here went away").because(e);
    let (down, mut up) = line.into_split();
    let mut down = BufReader::new(down);
    up.write_all(format!("{}\n", hello.line()).as_bytes()).await.map_err(gone)?;
    let mut word = String::new();
    down.read_line(&mut word).await.map_err(gone)?;
    match word.trim() {
        "ok" => {}
        "" => return Err(Error::offline("the Hearth that runs here hung up")),
        why => return Err(Error::refused(why.trim_start_matches("error: ").to_owned())),
    }
    let upward = async {
        let copied = tokio::io::copy(&mut stdin, &mut up).await;
        // Only our half: what was asked is still answered.
        let _ = up.shutdown().await;
        copied
    };
    tokio::pin!(upward);
    let downward = tokio::io::copy_buf(&mut down, &mut stdout);
    tokio::pin!(downward);
    let mut asking = true;
    let end = loop {
        tokio::select! {
            end = &mut downward => break end,
            _ = &mut upward, if asking => asking = false,
        }
    };
    match end {
        // The client reads no more: it is gone, and so are we.
        Err(e) if e.kind() == ErrorKind::BrokenPipe => Ok(()),
        Ok(_) if !asking => Ok(()),
        Ok(_) => Err(Error::offline("the Hearth that runs here ended")),
        Err(e) => Err(gone(e)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::AsyncReadExt as _;

    /// A daemon that does what `script` says with the connection.
    async fn against<F>(script: impl FnOnce(UnixStream) -> F) -> (Result<(), Error>, Vec<u8>)
    where
        F: Future<Output = ()>,
    {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let mut out = Vec::new();
        let hello = Hello { service: Some("home".into()), token: None };
        let (end, ()) =
            tokio::join!(carry(ours, &hello, &b"{\"id\":1}\n"[..], &mut out), script(theirs));
        (end, out)
    }

    #[tokio::test]
    async fn answers_arrive_after_stdin_ended() {
        let (end, out) = against(|mut daemon| async move {
            let mut line = [0; 26];
            daemon.read_exact(&mut line).await.unwrap();
            assert_eq!(&line, b"hearth-mcp 1 service=home\n");
            daemon.write_all(b"ok\n").await.unwrap();
            let mut asked = String::new();
            daemon.read_to_string(&mut asked).await.unwrap();
            assert_eq!(asked, "{\"id\":1}\n");
            daemon.write_all(b"{\"answer\":1}\n").await.unwrap();
        })
        .await;
        assert_eq!((end.is_ok(), out.as_slice()), (true, &b"{\"answer\":1}\n"[..]));
    }

    #[tokio::test]
    async fn a_refusal_is_an_error_and_nothing_reaches_stdout() {
        let (end, out) = against(|mut daemon| async move {
            daemon.write_all(b"error: there is no service 'home' here\n").await.unwrap();
            let mut line = [0; 26];
            daemon.read_exact(&mut line).await.unwrap();
        })
        .await;
        assert_eq!(end.unwrap_err().what(), "there is no service 'home' here");
        assert!(out.is_empty());
    }

    #[tokio::test]
    async fn a_daemon_that_goes_away_is_an_error() {
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        let (stdin, _still_open) = tokio::io::duplex(64);
        let daemon = async move {
            theirs.write_all(b"ok\n").await.unwrap();
            let mut line = [0; 13];
            theirs.read_exact(&mut line).await.unwrap();
        };
        let hello = Hello::default();
        let (end, ()) = tokio::join!(carry(ours, &hello, stdin, Vec::new()), daemon);
        assert_eq!(end.unwrap_err().kind(), crate::error::Kind::Offline);
    }
}
