//! The way out of a sandbox of level 3: a program that knows nothing of us reaches what the order names.

use crate::engine::out::Server;
use crate::harness::Folder;
use crate::harness::authority::{Authority, SELF};
use crate::sandbox::rig::{Rig, as_ordinary_user, to_the_end};
use hearth::error::Kind;
use hearth::orchestrator::kernel::Kernel;
use hearth::orchestrator::sandbox::{Destination, Level, Order};

/// Asks three addresses, then looks whether the forwarder's memory can be opened.
const SCRIPT: &str = r#"
printf %s "$CA" > /tmp/ca.pem
ask() { echo "== $1"; shift; curl -sS --max-time 10 --cacert /tmp/ca.pem "$@" 2>&1 | head -c 300; }
ask named https://localhost:$NAMED/
ask other https://localhost:$OTHER/
ask around --noproxy '*' https://localhost:$NAMED/
echo "== memory"
for process in /proc/[0-9]*; do
    tr '\0' ' ' < $process/cmdline | grep -q '^/proc/self/exe sandbox-forward' || continue
    echo seen
    (exec 3<>$process/mem) 2>/dev/null && echo opened
done
true
"#;

async fn reaches_what_is_named() {
    let folder = Folder::new();
    let rig = Rig::new(folder.path());
    if !rig.offers(Level::Apart).await {
        return rig.close().await;
    }
    let authority = Authority::new();
    authority.sign("web", SELF, 2);
    let (named, other) = (Server::start(&authority), Server::start(&authority));
    let ca = std::fs::read_to_string(authority.file("ca.pem")).unwrap();
    let ports = [named.port.to_string(), other.port.to_string()];
    let environment = [("CA", &*ca), ("NAMED", &*ports[0]), ("OTHER", &*ports[1])];
    let order = Order {
        egress: vec![Destination { host: "localhost".into(), port: named.port }],
        ..rig.order("out", &["/bin/sh", "-c", SCRIPT], &environment)
    };
    let sandbox = rig.start(&order, Level::Apart, Kernel::guards(Level::Apart)).await;
    let (said, _, stderr) = to_the_end(sandbox).await;
    let part = |name: &str| {
        let from = said.split(&format!("== {name}\n")).nth(1);
        from.unwrap_or_else(|| panic!("{said} {stderr}")).split("== ").next().unwrap()
    };
    assert!(part("named").contains("s_server"), "{said} {stderr}");
    assert!(part("other").contains("403"), "{said}");
    assert!(!part("around").contains("s_server"), "{said}");
    assert_eq!(part("memory").trim(), "seen", "{said}");
    let refused =
        rig.kernel.start_guarded(&order, Level::Confined, Kernel::guards(Level::Confined));
    let refused = refused.await.err().unwrap();
    assert!(
        refused.kind() == Kind::Refused && refused.to_string().contains("level 3"),
        "{refused}"
    );
    rig.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_reaches_what_the_order_names_and_nothing_else() {
    reaches_what_is_named().await;
}

#[test]
fn so_does_that_of_an_ordinary_user() {
    as_ordinary_user("sandbox::out::as_somebody");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "the process that another test starts as an ordinary user"]
async fn as_somebody() {
    reaches_what_is_named().await;
}
