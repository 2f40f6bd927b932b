//! What engines say when they refuse, in our words.

use crate::error::Error;
use crate::text;
use bollard::errors::Error as Fault;

/// Most characters of what an engine says.
const MOST: usize = 400;

/// Makes an error of what the engine answered.
pub(super) fn of(what: &str, fault: Fault) -> Error {
    match fault {
        Fault::DockerResponseServerError { status_code, message } => {
            let words = format!("{what}: the engine says: {}", text::clean(&message, MOST));
            match status_code {
                404 => Error::not_found(words),
                409 => Error::conflict(words),
                _ => Error::broken(words),
            }
        }
        other => offline(what, other),
    }
}

/// As [`of`], but for calls that have nothing to find: what fails is the way to the engine.
pub(super) fn offline(what: &str, fault: Fault) -> Error {
    match fault {
        Fault::DockerResponseServerError { message, .. } => {
            Error::broken(format!("{what}: the engine says: {}", text::clean(&message, MOST)))
        }
        Fault::RequestTimeoutError => {
            Error::new(crate::error::Kind::Timeout, format!("{what}: the engine does not answer"))
        }
        Fault::IOError { err } if err.kind() == std::io::ErrorKind::PermissionDenied => {
            Error::offline(format!(
                "{what}: the engine's socket is not for this user; add it to the socket's group \
                 (docker run: --group-add with the socket's group id)"
            ))
        }
        other => Error::offline(format!(
            "{what}: the engine cannot be reached; is it running, and is DOCKER_HOST right?"
        ))
        .because(other),
    }
}

/// Whether the engine says that there is no such thing (any more).
pub(super) fn is_gone(fault: &Fault) -> bool {
    matches!(fault, Fault::DockerResponseServerError { status_code: 404, .. })
}
