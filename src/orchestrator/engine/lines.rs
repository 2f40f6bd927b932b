//! The streams of a container, taken apart: what its server writes, and what it complains.

use crate::orchestrator::sandbox::Tail;
use crate::tasks::Tasks;
use bollard::container::{AttachContainerResults, LogOutput};
use futures_util::StreamExt as _;
use tokio::io::{AsyncWriteExt as _, DuplexStream};

/// Bytes of output that wait for whoever reads; then the server waits.
const WAITING: usize = 64 << 10;

/// Reads both streams for as long as they last; returns where the output arrives.
pub(super) fn part(
    mut output: std::pin::Pin<
        Box<dyn futures_util::Stream<Item = Result<LogOutput, bollard::errors::Error>> + Send>,
    >,
    tail: Tail,
    tasks: &Tasks,
) -> DuplexStream {
    let (mut to, from) = tokio::io::duplex(WAITING);
    tasks.job(async move {
        // Nobody may read output any more, but complaints are kept all the same.
        let mut heard = true;
        while let Some(part) = output.next().await {
            match part {
                Ok(LogOutput::StdErr { message }) => tail.push(&message),
                Ok(LogOutput::StdOut { message }) if heard => {
                    heard = to.write_all(&message).await.is_ok();
                }
                Ok(_) => {}
                Err(e) => {
                    log::debug!("the streams of a sandbox ended: {e}");
                    break;
                }
            }
        }
    });
    from
}

/// The input of a container; ending it ends the server's input, dropping it does not.
pub(super) type Input = std::pin::Pin<Box<dyn tokio::io::AsyncWrite + Send>>;

/// Takes the streams apart.
pub(super) fn of(
    attached: AttachContainerResults,
    tail: Tail,
    tasks: &Tasks,
) -> (Input, DuplexStream) {
    (attached.input, part(attached.output, tail, tasks))
}
