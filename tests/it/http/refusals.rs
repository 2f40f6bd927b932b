//! What scripts get that ask for what is not there, or wrongly: the status, and JSON that says why.

use crate::harness::Hearth;
use crate::http::raw::{Answer, Raw};
use serde_json::Value;

fn ask(hearth: &Hearth, request: &str, headers: &str, body: &str) -> (Answer, Value) {
    let at = hearth.url.strip_prefix("http://").unwrap().parse().unwrap();
    let (token, length) = (&hearth.token, body.len());
    let mut raw = Raw::connect(at);
    raw.send(format!(
        "{request} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n{headers}\
         Content-Length: {length}\r\n\r\n{body}"
    ));
    let answer = raw.answer();
    let said = serde_json::from_slice(&answer.body);
    let said = said.unwrap_or_else(|e| panic!("{request}: {e}: {} {}", answer.head, answer.text()));
    (answer, said)
}

#[test]
fn every_refusal_of_the_api_is_json_with_its_status() {
    let hearth = Hearth::demo();
    let json = "Content-Type: application/json\r\n";
    for (request, headers, body, status, code, want) in [
        (
            "GET /api/nowhere",
            "",
            "",
            404,
            "not_found",
            "there is no '/api/nowhere'; there is: /api/",
        ),
        ("GET /api", "", "", 404, "not_found", "there is no '/api'"),
        ("GET /events/x", "", "", 404, "not_found", "there is no '/events/x'"),
        ("GET /api/home/entities/light.x", "", "", 404, "not_found", "no entity 'light.x'"),
        ("DELETE /api/home/houses", "", "", 405, "invalid", "does not take DELETE; see the header"),
        ("GET /api/home/call", "", "", 405, "invalid", "does not take GET; see the header"),
        ("POST /events", "", "", 405, "invalid", "'/events' does not take POST; see the header"),
        ("POST /api/home/call", json, "{", 400, "invalid", "JSON"),
        ("POST /api/home/call", json, "[1]", 400, "invalid", "expected a map"),
        ("POST /api/home/call", "", "{}", 400, "invalid", "application/json"),
        ("POST /api/web/tokens", json, "{\"nam\":1}", 400, "invalid", "unknown field `nam`"),
        ("GET /api/home/entities?limit=many", "", "", 400, "invalid", "limit"),
        ("GET /events?entity=x", "", "", 400, "invalid", "no filter 'entity'; there is: area"),
        ("GET /events?event=entitty", "", "", 400, "invalid", "no event 'entitty'"),
    ] {
        let (answer, said) = ask(&hearth, request, headers, body);
        assert_eq!(answer.status, status, "{request}: {said}");
        assert_eq!(said["error"]["code"], code, "{request}: {said}");
        let text = said["error"]["message"].as_str().unwrap();
        assert!(text.contains(want), "{request}: {said}");
        let want =
            (status == 405).then(|| if request.contains("call") { "POST" } else { "GET,HEAD" });
        assert_eq!(answer.header("allow"), want, "{request}: {}", answer.head);
    }
}
