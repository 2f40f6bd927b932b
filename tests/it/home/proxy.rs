//! A TCP proxy that can cut what runs through it, as a restart or a broken cable does.

use std::net::SocketAddr;
use std::sync::Arc;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, watch};

pub struct Proxy {
    pub address: SocketAddr,
    /// Counts the cuts; an odd number means that nothing gets through.
    cut: Arc<watch::Sender<u64>>,
    freeze: Arc<Notify>,
}

impl Proxy {
    /// Listens on loopback and passes everything on to `to`.
    pub async fn to(to: &str) -> Proxy {
        let to = to.trim_start_matches("http://").to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let cut = Arc::new(watch::Sender::new(0));
        let state = cut.clone();
        let freeze = Arc::new(Notify::new());
        let ice = freeze.clone();
        tokio::spawn(async move {
            loop {
                let (mut here, _) = listener.accept().await.unwrap();
                if *state.borrow() % 2 == 1 {
                    continue;
                }
                let (to, mut cuts) = (to.clone(), state.subscribe());
                let frozen = ice.clone();
                tokio::spawn(async move {
                    let Ok(mut there) = TcpStream::connect(to).await else { return };
                    let held = tokio::select! {
                        _ = tokio::io::copy_bidirectional(&mut here, &mut there) => false,
                        _ = cuts.changed() => false,
                        () = frozen.notified() => true,
                    };
                    if held {
                        // Nothing passes, and neither side is told.
                        let _ = cuts.changed().await;
                    }
                });
            }
        });
        Proxy { address, cut, freeze }
    }

    /// Ends every connection and lets none through.
    pub fn cut(&self) {
        self.cut.send_modify(|n| *n += 1);
    }

    /// Holds every connection that there is open and passes nothing on; new ones pass.
    pub fn freeze(&self) {
        self.freeze.notify_waiters();
    }

    /// Lets connections through again.
    pub fn mend(&self) {
        self.cut.send_modify(|n| *n += 1);
    }
}
