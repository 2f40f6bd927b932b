//! Turns errors into answers: one shape for every refusal that a client sees.

use crate::error::{Error, Kind};
use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

impl IntoResponse for Error {
    /// Answers with the status of [`Kind::row`] and `{"error":{"code","message"}}`. The cause of a
    /// fault of our own goes to the log, not to the client.
    fn into_response(self) -> Response {
        let row = self.kind().row();
        let text = if self.kind() == Kind::Broken {
            log::error!("{self}");
            self.what().to_owned()
        } else {
            self.to_string()
        };
        let status = StatusCode::from_u16(row.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        refusal(status, row.code, &text)
    }
}

/// Makes the answer to a request that HTTP itself forbids: `{"error":{"code","message"}}`.
pub fn refusal(status: StatusCode, code: &str, message: &str) -> Response {
    (status, Json(json!({"error": {"code": code, "message": message}}))).into_response()
}

/// The same, and the connection ends with it.
pub(crate) fn last_refusal(status: StatusCode, code: &str, message: &str) -> Response {
    let mut answer = refusal(status, code, message);
    answer.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    answer
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_error_answers_with_its_status_and_word() {
        let answer = Error::not_found("there is no lamp 'x'").into_response();
        assert_eq!(answer.status(), 404);
        let body = axum::body::to_bytes(answer.into_body(), 1024).await.unwrap();
        let want = r#"{"error":{"code":"not_found","message":"there is no lamp 'x'"}}"#;
        assert_eq!(body, want);
    }

    #[tokio::test]
    async fn the_cause_of_our_own_fault_is_not_told() {
        let answer = Error::broken("cannot write").because("secret path").into_response();
        assert_eq!(answer.status(), 500);
        let body = axum::body::to_bytes(answer.into_body(), 1024).await.unwrap();
        assert!(!String::from_utf8_lossy(&body).contains("secret path"));
    }
}
