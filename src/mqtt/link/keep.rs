//! Connects, and connects again.

use crate::mqtt::config::{Target, Version};
use crate::mqtt::link::dial::{self, made_up_id};
use crate::mqtt::link::pace::{Ending, Pace};
use crate::mqtt::link::serve::{Serving, serve};
use crate::mqtt::link::sieve::{Mark, Sieve};
use crate::mqtt::link::v4::Wire4;
use crate::mqtt::link::v5::Wire5;
use crate::mqtt::link::wire::{Ended, Heard, Knock, Pen, Wire};
use crate::mqtt::link::{Command, Happening, Listener, Options, Welcome};
use crate::mqtt::message::{Outcome, Qos};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;

/// What somebody hears who chose the address, whatever is there: else he could look for what listens.
const SAME: &str = "no MQTT connection was made: nobody listens there, it cannot be reached, it is no \
                    broker, or its certificate is not trusted. The owner sees more when the broker is \
                    in mqtt.profiles";

const INSECURE: &str = "insecure is set: whoever is between can read and change everything";

/// Keeps one connection up.
pub(super) struct Keeper<L> {
    target: Target,
    options: Options,
    listener: L,
    asked: mpsc::Receiver<Command>,
    stop: CancellationToken,
    client_id: String,
    version: Version,
    /// Why 3.1.1 is tried although 5 is wanted.
    fallback: Option<String>,
    /// Whether it was tried already.
    fell_back: bool,
}

impl<L: Listener> Keeper<L> {
    pub(super) fn new(
        target: Target,
        options: Options,
        listener: L,
        asked: mpsc::Receiver<Command>,
        stop: CancellationToken,
    ) -> Keeper<L> {
        let client_id =
            if target.client_id.is_empty() { made_up_id() } else { target.client_id.clone() };
        let version = target.version;
        let (fallback, fell_back) = (None, false);
        Keeper { target, options, listener, asked, stop, client_id, version, fallback, fell_back }
    }

    pub(super) async fn run(mut self) {
        let stop = self.stop.clone();
        let mut pace = Pace::default();
        loop {
            let mut since = None;
            // Serving sees for itself to a friendly end; a connection that is being made just stops.
            let ended = match self.version {
                Version::V5 => self.once::<Wire5>(&mut since).await,
                Version::V4 => self.once::<Wire4>(&mut since).await,
            };
            let Some(ended) = ended else { return };
            if ended.ending == Ending::Version && self.version == Version::V5 && !self.fell_back {
                self.fell_back = true;
                self.fallback = Some(ended.why);
                self.version = Version::V4;
                continue;
            }
            if self.fallback.is_some() && since.is_none() {
                // It was not the version.
                self.fallback = None;
                self.version = self.target.version;
            }
            let up = since.map(|since: Instant| since.elapsed());
            let pause = pace.ended(std::time::Instant::now(), ended.ending, up, chance());
            let mut why = dial::hides(&ended.why, &self.target.password);
            if self.options.rules.is_some() && since.is_none() && ended.ending != Ending::Refused {
                why = format!("{}: {SAME}", self.target.address);
            }
            if pace.is_a_fight() && ended.ending == Ending::Lost {
                why.push_str(
                    "; each connection ends at once: perhaps another client has our client id",
                );
            }
            self.listener.happened(Happening::Lost { why, pause });
            let rest = refusing(&mut self.asked, tokio::time::sleep(pause));
            tokio::select! {
                () = rest => {}
                () = stop.cancelled() => return,
            }
        }
    }

    /// One connection from its beginning to its end; `since` is when the broker let us in. `None` when
    /// the link is closed.
    async fn once<W: Wire>(&mut self, since: &mut Option<Instant>) -> Option<Ended> {
        let stop = self.stop.clone();
        let connecting = connect::<W>(&self.target, &self.options, &self.client_id);
        let made = tokio::select! {
            made = refusing(&mut self.asked, connecting) => made,
            () = stop.cancelled() => return None,
        };
        let (pen, wire, mut welcome) = match made {
            Ok(made) => made,
            Err(ended) => return Some(ended),
        };
        *since = Some(Instant::now());
        welcome.client_id.get_or_insert_with(|| self.client_id.clone());
        let fallback = self.fallback.as_ref().map(|why| format!("{why}: MQTT 3.1.1 is used"));
        let is_open = self.target.insecure && self.target.address.scheme.is_tls();
        let insecure = is_open.then(|| INSECURE.to_owned());
        welcome.note =
            fallback.into_iter().chain(insecure).reduce(|all, one| format!("{all}; {one}"));
        let serving = Serving {
            limits: welcome.limits.clone(),
            version: W::VERSION,
            keep_alive: self.options.keep_alive,
            stop: &stop,
        };
        self.listener.happened(Happening::Connected(welcome));
        if let Err(e) = W::Pen::subscribe(&pen, &self.options.filters) {
            // The library checks them: one that no broker can be asked for is refused for good.
            return Some(Ended::refused(format!("a filter of mqtt.listen is not valid ({e})")));
        }
        serve(pen, wire, &serving, &mut self.listener, &mut self.asked).await
    }
}

/// Goes all the way to the broker's welcome.
async fn connect<W: Wire>(
    target: &Target,
    options: &Options,
    client_id: &str,
) -> Result<(W::Pen, W, Welcome), Ended> {
    let until = Instant::now() + options.connect;
    let socket = dial::open(target, &options.reach, options.rules.as_deref(), until).await?;
    let mut mark = Mark([0; 16]);
    if getrandom::fill(&mut mark.0).is_err() {
        return Err(Ended::lost("the system gives no random numbers"));
    }
    let socket = Sieve::new(socket, options.max_packet, W::VERSION == Version::V5, mark);
    let (connect, keep_alive) = (options.connect, options.keep_alive);
    let above = |(_, qos): &(String, Qos)| *qos > Qos::AtMostOnce;
    let kept_first = options.kept_first && options.filters.iter().any(above);
    let knock = Knock { target, client_id, keep_alive, connect, kept_first };
    let (pen, mut wire) = W::open(socket, mark, &knock);
    let mut welcome = None;
    while welcome.is_none() {
        let mut hear = |heard: Heard<'_>| {
            if let Heard::Welcome(said) = heard {
                welcome = Some(said);
            }
        };
        let late = |_| Ended::lost("the broker took the connection and said nothing");
        timeout_at(until, wire.step(&mut hear)).await.map_err(late)??;
    }
    Ok((pen, wire, welcome.unwrap_or_default()))
}

/// Waits for `other`, and meanwhile says to everybody who wants to send that there is no connection.
async fn refusing<F: Future>(asked: &mut mpsc::Receiver<Command>, other: F) -> F::Output {
    tokio::pin!(other);
    loop {
        tokio::select! {
            biased;
            output = &mut other => return output,
            Some(command) = asked.recv() => {
                let why = "there is no connection to the broker just now";
                // Who asked may be gone.
                let _ = command.answer.send(Outcome::NotSent(why.into()));
            }
        }
    }
}

/// A number from 0 to 1.
fn chance() -> f64 {
    let mut byte = [128];
    // Without random numbers all clients wait alike; that is all.
    let _ = getrandom::fill(&mut byte);
    f64::from(byte[0]) / 255.0
}
