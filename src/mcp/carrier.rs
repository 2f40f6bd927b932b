//! One type of transport for every way to a client, pipes and sessions alike.
//!
//! rmcp writes out its whole loop once for each type of transport; behind this one it stands in the
//! program once.

use crate::mcp::Boxed;
use rmcp::RoleServer;
use rmcp::model::{ClientJsonRpcMessage, ServerJsonRpcMessage};
use rmcp::transport::Transport;
use std::io;

/// A way to a client.
pub(crate) struct Carrier(Box<dyn Carry>);

impl Carrier {
    pub(crate) fn new(way: impl Transport<RoleServer> + 'static) -> Carrier {
        Carrier(Box::new(way))
    }
}

/// [`Transport`] without its own types.
trait Carry: Send {
    fn send(&mut self, message: ServerJsonRpcMessage) -> Boxed<'static, io::Result<()>>;
    fn receive(&mut self) -> Boxed<'_, Option<ClientJsonRpcMessage>>;
    fn close(&mut self) -> Boxed<'_, io::Result<()>>;
}

impl<T: Transport<RoleServer>> Carry for T {
    fn send(&mut self, message: ServerJsonRpcMessage) -> Boxed<'static, io::Result<()>> {
        let sent = Transport::send(self, message);
        Box::pin(async move { sent.await.map_err(io::Error::other) })
    }

    fn receive(&mut self) -> Boxed<'_, Option<ClientJsonRpcMessage>> {
        Box::pin(Transport::receive(self))
    }

    fn close(&mut self) -> Boxed<'_, io::Result<()>> {
        Box::pin(async move { Transport::close(self).await.map_err(io::Error::other) })
    }
}

impl Transport<RoleServer> for Carrier {
    type Error = io::Error;

    fn send(
        &mut self,
        message: ServerJsonRpcMessage,
    ) -> impl Future<Output = io::Result<()>> + Send + 'static {
        self.0.send(message)
    }

    fn receive(&mut self) -> impl Future<Output = Option<ClientJsonRpcMessage>> + Send {
        self.0.receive()
    }

    fn close(&mut self) -> impl Future<Output = io::Result<()>> + Send {
        self.0.close()
    }
}
