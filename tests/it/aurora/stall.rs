//! A TCP proxy that holds back what runs through it for a while and then delivers it: a busy peer, or a
//! network that does not lose anything.

use std::net::SocketAddr;
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

pub struct Stall {
    pub address: SocketAddr,
    held: Arc<watch::Sender<bool>>,
}

impl Stall {
    /// Listens on loopback and passes everything on to `to`.
    pub async fn to(to: &str) -> Stall {
        let to = to.trim_start_matches("http://").to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let held = Arc::new(watch::Sender::new(false));
        let state = held.clone();
        tokio::spawn(async move {
            loop {
                let (here, _) = listener.accept().await.unwrap();
                let Ok(there) = TcpStream::connect(&to).await else { continue };
                let ((from_here, to_here), (from_there, to_there)) =
                    (here.into_split(), there.into_split());
                tokio::spawn(pass(from_here, to_there, state.subscribe()));
                tokio::spawn(pass(from_there, to_here, state.subscribe()));
            }
        });
        Stall { address, held }
    }

    /// Holds everything back, or delivers it and lets everything through again.
    pub fn hold(&self, held: bool) {
        self.held.send_replace(held);
    }
}

async fn pass(
    mut from: tokio::net::tcp::OwnedReadHalf,
    mut to: tokio::net::tcp::OwnedWriteHalf,
    mut held: watch::Receiver<bool>,
) {
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(count @ 1..) = from.read(&mut buffer).await {
        if held.wait_for(|held| !held).await.is_err() {
            break;
        }
        if to.write_all(&buffer[..count]).await.is_err() {
            break;
        }
    }
}
