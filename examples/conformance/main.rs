//! The fixtures of the official MCP conformance suites, served as Hearth serves: through the same
//! toolbox, listener and guard. For tests only; the program itself holds none of this.
//!
//! `cargo run --example conformance` serves on a free loopback port and prints one line,
//! `listening on http://…`. It lets anybody in who reaches that port. With `--socket PATH` it serves
//! local clients there too; `--relay PATH` is such a client; `--stdio` serves on stdin and stdout.

mod ask;
mod prompts;
mod shelf;
mod tools;

use hearth::error::Error;
use hearth::events::Events;
use hearth::http::Counters;
use hearth::http::guard::Guard;
use hearth::http::serve::{Limits, Server};
use hearth::mcp::stdio::{self, Hello};
use hearth::mcp::{About, Config, Mcp, Toolbox, over_http};
use hearth::policy::Policy;
use hearth::store::Store;
use hearth::tasks::Tasks;
use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;

/// A picture of one pixel.
const PIXEL: &[u8] = include_bytes!("pixel.png");
/// A sound of no length.
const SILENCE: &[u8] = b"RIFF\x24\0\0\0WAVEfmt \x10\0\0\0\x01\0\x01\0\x44\xac\0\0\x88\x58\x01\0\x02\0\x10\0data\0\0\0\0";

#[tokio::main]
async fn main() -> Result<(), Error> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match args.as_slice() {
        ["--relay", path] => {
            let line = stdio::dial(Path::new(path)).await;
            let line = line?.ok_or_else(|| Error::offline("nobody serves there"))?;
            stdio::relay(line, &Hello::default()).await
        }
        ["--stdio"] => {
            let (mcp, _, _) = fixtures().await?;
            stdio::serve_stdio(&mcp, &Hello::default()).await
        }
        ["--socket", path] => serve(Some(Path::new(path))).await,
        [] => serve(None).await,
        other => Err(Error::invalid(format!("what is {other:?}?"))),
    }
}

async fn fixtures() -> Result<(Mcp, Policy, Tasks), Error> {
    let events = Events::new();
    let tasks = Tasks::new(events.clone());
    let store = Store::memory();
    let policy = Policy::start(&Default::default(), &store, &events, &tasks, None).await?;
    let toolbox = Toolbox::new(&Config::default(), &policy);
    toolbox.add_tools(tools::all(&toolbox, &events));
    toolbox.add_tools(ask::all());
    toolbox.add_resources(Arc::new(shelf::Shelf));
    toolbox.add_prompts(prompts::all());
    let about = About { title: "Hearth conformance".into(), version: "0".into() };
    let mcp = Mcp::new(&toolbox, &events, &tasks, about)?;
    Ok((mcp, policy, tasks))
}

async fn serve(socket: Option<&Path>) -> Result<(), Error> {
    let (mcp, policy, tasks) = fixtures().await?;
    let config = hearth::http::Config {
        host: "127.0.0.1".into(),
        port: 0,
        open_loopback: true,
        ..hearth::http::Config::default()
    };
    if let Some(path) = socket {
        stdio::serve_socket(&mcp, path).await?;
    }
    let counters = Counters::default();
    let guard = Guard::new(&config, &policy, &counters)?;
    let server = Server::new(&config, Limits::new(&config), false, &tasks, &counters)?;
    let router = guard.protect(over_http::router(&mcp));
    let bound = server.listen("http", &config.host, config.port, router).await?;
    // Whoever starts this reads the port from here.
    writeln!(std::io::stdout(), "listening on http://{}", bound[0])
        .map_err(|e| Error::broken("stdout is closed").because(e))?;
    let _ = tokio::signal::ctrl_c().await;
    tasks.stop().await;
    Ok(())
}
