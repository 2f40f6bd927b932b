//! The sessions of clients over HTTP: how many there are, whose they are, and when they end.
//!
//! rmcp keeps a session's messages; this keeps the list. At the cap the session that was idle
//! longest ends, one without an open stream first. A session belongs to the token and the address
//! that opened it, and ends with that token. Knows nothing of HTTP itself.

use crate::mcp::Profile;
use crate::mcp::carrier::Carrier;
use crate::policy::{Caller, Policy};
use futures_util::Stream;
use rmcp::model::{ClientJsonRpcMessage, ServerJsonRpcMessage};
use rmcp::transport::streamable_http_server::session::local::{
    LocalSessionManager, LocalSessionManagerError,
};
use rmcp::transport::streamable_http_server::session::{
    ServerSseMessage, SessionId, SessionManager,
};
use std::cmp::Reverse;
use std::collections::HashMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::Instant;

/// All sessions over HTTP.
pub(crate) struct Sessions {
    kept: LocalSessionManager,
    list: Arc<Mutex<HashMap<SessionId, Entry>>>,
    most: usize,
}

struct Entry {
    /// Who opened it and where; `None` until the answer to the opening request goes out.
    owner: Option<(Caller, Profile)>,
    used: Instant,
    streams: usize,
    /// Whether its client knows events without data, from which a stream can be taken up again.
    primes: bool,
}

/// What a request finds under the session id that it names.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Whose {
    /// There is no such session.
    Nobodys,
    /// It was opened with this token at this address.
    Yours,
    /// It is somebody else's, or was opened at another address.
    Others,
}

impl Sessions {
    pub(crate) fn new(most: usize) -> Sessions {
        let mut kept = LocalSessionManager::default();
        // A session ends by this list's rules only: rmcp's own clock does not see open streams.
        kept.session_config.keep_alive = None;
        Sessions { kept, list: Arc::default(), most: most.max(1) }
    }

    /// Writes down who opened the session, and whether its streams may begin with an empty event.
    pub(crate) fn bind(&self, id: &str, caller: &Caller, profile: &Profile, primes: bool) {
        if let Some(entry) = lock(&self.list).get_mut(id) {
            entry.owner = Some((caller.clone(), profile.clone()));
            entry.primes = primes;
        }
    }

    /// Whether the session's streams may begin with an empty event.
    pub(crate) fn primes(&self, id: &str) -> bool {
        lock(&self.list).get(id).is_some_and(|entry| entry.primes)
    }

    /// Returns whose session `id` is, as seen by `caller` at `profile`.
    pub(crate) fn whose(&self, id: &str, caller: &Caller, profile: &Profile) -> Whose {
        match lock(&self.list).get(id).map(|entry| &entry.owner) {
            None => Whose::Nobodys,
            Some(Some((owner, place))) if owner.token == caller.token && place == profile => {
                Whose::Yours
            }
            Some(_) => Whose::Others,
        }
    }

    /// Returns how many sessions there are, and how many of them have an open stream.
    pub(crate) fn count(&self) -> (usize, usize) {
        let list = lock(&self.list);
        (list.len(), list.values().filter(|entry| entry.streams > 0).count())
    }

    /// Ends the sessions whose token is revoked.
    pub(crate) async fn end_revoked(&self, policy: &Policy) {
        self.end_where(|entry| {
            entry.owner.as_ref().is_some_and(|(caller, _)| !policy.is_live(caller))
        })
        .await;
    }

    /// Ends the sessions that have had no open stream and no request for so long.
    pub(crate) async fn end_idle(&self, longest: Duration) {
        self.end_where(|entry| entry.streams == 0 && entry.used.elapsed() >= longest).await;
    }

    async fn end_where(&self, ends: impl Fn(&Entry) -> bool) {
        let ending: Vec<SessionId> = {
            let list = lock(&self.list);
            list.iter().filter(|(_, entry)| ends(entry)).map(|(id, _)| id.clone()).collect()
        };
        for id in ending {
            self.end(&id).await;
        }
    }

    async fn end(&self, id: &SessionId) {
        lock(&self.list).remove(id);
        if let Err(e) = self.kept.close_session(id).await {
            log::debug!("mcp: a session did not close cleanly: {e}");
        }
    }

    /// The session that goes when there is one too many; never `newest`. It is one of the token that
    /// has the most, so that nobody can push out others by opening many.
    fn victim(&self, newest: &SessionId) -> Option<SessionId> {
        let list = lock(&self.list);
        if list.len() <= self.most {
            return None;
        }
        let token = |entry: &Entry| entry.owner.as_ref().map(|(caller, _)| caller.token);
        let mut held: HashMap<Option<u64>, usize> = HashMap::new();
        for entry in list.values() {
            *held.entry(token(entry)).or_default() += 1;
        }
        let others = list.iter().filter(|(id, _)| *id != newest);
        let oldest = others.min_by_key(|(_, entry)| {
            let share = held.get(&token(entry)).copied().unwrap_or_default();
            (entry.streams > 0, Reverse(share), entry.used)
        });
        oldest.map(|(id, _)| id.clone())
    }

    /// Counts a stream of the session for as long as the client reads it.
    fn counted<S>(&self, id: &SessionId, stream: S) -> Counted
    where
        S: Stream<Item = ServerSseMessage> + Send + Sync + 'static,
    {
        let mut primes = false;
        if let Some(entry) = lock(&self.list).get_mut(id) {
            entry.used = Instant::now();
            entry.streams += 1;
            primes = entry.primes;
        }
        Counted { stream: Box::pin(stream), id: id.clone(), list: self.list.clone(), primes }
    }
}

/// A session's stream that is counted while it is open.
struct Counted {
    stream: Pin<Box<dyn Stream<Item = ServerSseMessage> + Send + Sync>>,
    id: SessionId,
    list: Arc<Mutex<HashMap<SessionId, Entry>>>,
    primes: bool,
}

impl Stream for Counted {
    type Item = ServerSseMessage;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            let next = self.stream.as_mut().poll_next(cx);
            match &next {
                // Older clients take an event without data for a broken message.
                Poll::Ready(Some(event)) if event.message.is_none() && !self.primes => {}
                _ => return next,
            }
        }
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        if let Some(entry) = lock(&self.list).get_mut(&self.id) {
            entry.streams -= 1;
            entry.used = Instant::now();
        }
    }
}

impl SessionManager for Sessions {
    type Error = LocalSessionManagerError;
    type Transport = Carrier;

    async fn create_session(&self) -> Result<(SessionId, Carrier), Self::Error> {
        let (id, transport) = self.kept.create_session().await?;
        let entry = Entry { owner: None, used: Instant::now(), streams: 0, primes: false };
        lock(&self.list).insert(id.clone(), entry);
        while let Some(victim) = self.victim(&id) {
            log::info!("mcp: {} sessions are open; the one idle longest ends", self.most);
            self.end(&victim).await;
        }
        Ok((id, Carrier::new(transport)))
    }

    async fn initialize_session(
        &self,
        id: &SessionId,
        message: ClientJsonRpcMessage,
    ) -> Result<ServerJsonRpcMessage, Self::Error> {
        self.kept.initialize_session(id, message).await
    }

    async fn has_session(&self, id: &SessionId) -> Result<bool, Self::Error> {
        Ok(lock(&self.list).contains_key(id))
    }

    async fn close_session(&self, id: &SessionId) -> Result<(), Self::Error> {
        lock(&self.list).remove(id);
        self.kept.close_session(id).await
    }

    async fn create_stream(
        &self,
        id: &SessionId,
        message: ClientJsonRpcMessage,
    ) -> Result<impl Stream<Item = ServerSseMessage> + Send + Sync + 'static, Self::Error> {
        let stream = self.kept.create_stream(id, message).await?;
        Ok(self.counted(id, stream))
    }

    async fn accept_message(
        &self,
        id: &SessionId,
        message: ClientJsonRpcMessage,
    ) -> Result<(), Self::Error> {
        if let Some(entry) = lock(&self.list).get_mut(id) {
            entry.used = Instant::now();
        }
        self.kept.accept_message(id, message).await
    }

    async fn create_standalone_stream(
        &self,
        id: &SessionId,
    ) -> Result<impl Stream<Item = ServerSseMessage> + Send + Sync + 'static, Self::Error> {
        let stream = self.kept.create_standalone_stream(id).await?;
        Ok(self.counted(id, stream))
    }

    async fn resume(
        &self,
        id: &SessionId,
        last_event_id: String,
    ) -> Result<impl Stream<Item = ServerSseMessage> + Send + Sync + 'static, Self::Error> {
        let stream = self.kept.resume(id, last_event_id).await?;
        Ok(self.counted(id, stream))
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing in these short sections can be half done.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::stream::pending;

    async fn open(sessions: &Sessions) -> SessionId {
        let (id, _transport) = sessions.create_session().await.unwrap();
        // Two sessions of the same instant have no order.
        tokio::time::advance(Duration::from_secs(1)).await;
        id
    }

    async fn there(sessions: &Sessions, ids: &[&SessionId]) -> Vec<bool> {
        let mut there = Vec::new();
        for id in ids {
            there.push(sessions.has_session(id).await.unwrap());
        }
        there
    }

    #[tokio::test(start_paused = true)]
    async fn an_open_stream_is_evicted_only_when_all_have_one() {
        let sessions = Sessions::new(2);
        let first = open(&sessions).await;
        let streaming = sessions.counted(&first, pending());
        let second = open(&sessions).await;
        let third = open(&sessions).await;
        assert_eq!(there(&sessions, &[&first, &second, &third]).await, [true, false, true]);
        let also = sessions.counted(&third, pending());
        let fourth = open(&sessions).await;
        // Both had one; the one opened earlier goes.
        assert_eq!(there(&sessions, &[&first, &third, &fourth]).await, [false, true, true]);
        drop((streaming, also));
        assert_eq!(sessions.count(), (2, 0));
    }

    #[tokio::test(start_paused = true)]
    async fn many_sessions_of_one_token_push_out_its_own() {
        let sessions = Sessions::new(3);
        let grant = Arc::new(crate::policy::Grant::default());
        let of = |token| Caller {
            name: "t".into(),
            via: crate::policy::Via::Http,
            grant: grant.clone(),
            token,
            underway: None,
        };
        let quiet = open(&sessions).await;
        sessions.bind(&quiet, &of(1), &Profile::Default, false);
        let mut greedy = Vec::new();
        for _ in 0..5 {
            let id = open(&sessions).await;
            sessions.bind(&id, &of(2), &Profile::Default, false);
            greedy.push(id);
        }
        assert_eq!(there(&sessions, &[&quiet, &greedy[4]]).await, [true, true]);
        assert_eq!(there(&sessions, &[&greedy[0], &greedy[1]]).await, [false, false]);
    }

    #[tokio::test(start_paused = true)]
    async fn idle_sessions_end_and_one_with_an_open_stream_does_not() {
        let sessions = Sessions::new(8);
        let idle = open(&sessions).await;
        let streaming = open(&sessions).await;
        let stream = sessions.counted(&streaming, pending());
        tokio::time::advance(Duration::from_secs(3600)).await;
        sessions.end_idle(Duration::from_secs(3600)).await;
        assert_eq!(there(&sessions, &[&idle, &streaming]).await, [false, true]);
        // Its hour begins when the stream ends.
        drop(stream);
        sessions.end_idle(Duration::from_secs(3600)).await;
        assert_eq!(there(&sessions, &[&streaming]).await, [true]);
        tokio::time::advance(Duration::from_secs(3600)).await;
        sessions.end_idle(Duration::from_secs(3600)).await;
        assert_eq!(sessions.count(), (0, 0));
    }
}
