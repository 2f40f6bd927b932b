//! Playing a recording again: first read and asked about as a whole, then sent message by message.

use crate::error::Error;
use crate::mcp::Call;
use crate::mqtt::Mqtt;
use crate::mqtt::filter::Filter;
use crate::mqtt::message::{Outcome, Publish};
use crate::mqtt::record::format::{End, Line, Piece, Reader};
use crate::mqtt::record::shelf::trouble;
use crate::mqtt::session::Session;
use crate::policy::{self, Caller};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;

/// Messages that wait for their time.
const AHEAD: usize = 32;
/// Topics that are counted one by one.
const TOPICS: usize = 1000;
/// Between two looks whether the token may publish again.
const PAUSE: Duration = Duration::from_millis(100);
/// Between two words about how far it is.
const TELL: Duration = Duration::from_secs(1);

/// How a recording is played.
#[derive(Clone, Debug)]
pub(crate) struct Score {
    pub(crate) name: String,
    /// Only these; all without any.
    pub(crate) filters: Vec<Filter>,
    /// Twice as fast is 2; 0 waits for nothing.
    pub(crate) speed: f64,
    /// A topic's beginning, and what stands there instead.
    pub(crate) remap: Option<(String, String)>,
    /// Whether messages that were retained are published so.
    pub(crate) retain: bool,
}

/// What playing it would do, or did.
#[derive(Clone, Debug, Default)]
pub(crate) struct Report {
    /// Messages in the recording.
    pub(crate) recorded: u64,
    /// Lost when it was recorded, of all topics.
    pub(crate) lost: u64,
    /// Of those recorded: wanted by the filters.
    pub(crate) wanted: u64,
    /// Wanted, and recorded without their payload since they were too large.
    pub(crate) without_payload: u64,
    pub(crate) bytes: u64,
    /// From the first wanted message to the last, at the speed of the recording.
    pub(crate) span: Duration,
    /// Messages by topic as they would be published; the first of them.
    pub(crate) topics: BTreeMap<String, u64>,
    /// How many messages the gates refuse, and why the first.
    pub(crate) refused: u64,
    pub(crate) why: Option<String>,
    pub(crate) written: u64,
    pub(crate) not_sent: u64,
    pub(crate) unknown: u64,
}

/// A message and when it is due after the first.
struct Due {
    after: Duration,
    message: Publish,
}

impl Score {
    /// Returns the message of a line as it is to be published, when it is wanted.
    fn wants(&self, line: &Line) -> bool {
        self.filters.is_empty() || self.filters.iter().any(|filter| filter.matches(&line.topic))
    }

    fn message(&self, line: &Line) -> Result<Option<Publish>, Error> {
        let Some(payload) = line.bytes()? else { return Ok(None) };
        let topic = match &self.remap {
            Some((from, to)) => match line.topic.strip_prefix(from.as_str()) {
                Some(rest) => format!("{to}{rest}"),
                None => line.topic.clone(),
            },
            None => line.topic.clone(),
        };
        Ok(Some(Publish {
            topic,
            payload,
            qos: line.level(),
            retain: self.retain && line.retain,
            properties: line.properties(),
        }))
    }
}

/// Reads a recording to its end, checks it, and gives each message to `each` until that says no.
fn lines(
    path: &Path,
    longest: u64,
    mut each: impl FnMut(Line) -> Result<bool, Error>,
) -> Result<End, Error> {
    let file = File::open(path).map_err(|e| match e.kind() {
        std::io::ErrorKind::NotFound => Error::not_found(
            "there is no such recording, or it has no end yet; mqtt_record lists them",
        ),
        _ => trouble("read", path, &e),
    })?;
    let mut file = BufReader::new(file);
    let mut next = || -> Result<Option<String>, Error> {
        let mut line = String::new();
        let read = file.by_ref().take(longest).read_line(&mut line);
        match read.map_err(|e| trouble("read", path, &e))? {
            0 => Ok(None),
            _ if line.ends_with('\n') => Ok(Some(line)),
            _ => Err(Error::invalid("the recording is cut off, or a line of it is too long")),
        }
    };
    let cut = || Error::invalid("the recording is cut off: its last line is missing");
    let (mut reader, _) = Reader::begin(&next()?.ok_or_else(cut)?)?;
    loop {
        match reader.read(&next()?.ok_or_else(cut)?)? {
            Piece::Message(line) => {
                if !each(*line)? {
                    return Ok(End::default());
                }
            }
            Piece::End(end) => return Ok(end),
        }
    }
}

impl Mqtt {
    fn longest_line(&self) -> u64 {
        // A byte of text can become six of JSON.
        self.config().max_packet_bytes * 6 + (1 << 20)
    }

    /// Reads a recording and says what playing it would do. Nothing is sent.
    ///
    /// # Errors
    /// NotFound when there is none, Invalid when it is not as it was written.
    pub(crate) async fn rehearse(&self, caller: &Caller, score: &Score) -> Result<Report, Error> {
        let path = self.path_of(score)?;
        let (mqtt, caller, score) = (self.clone(), caller.clone(), score.clone());
        let work = move || {
            let mut report = Report::default();
            let mut first = None;
            let end = lines(&path, mqtt.longest_line(), |line| {
                report.recorded += 1;
                if !score.wants(&line) {
                    return Ok(true);
                }
                report.wanted += 1;
                let begin = *first.get_or_insert(line.t);
                report.span = since(begin, line.t);
                let Some(message) = score.message(&line)? else {
                    report.without_payload += 1;
                    return Ok(true);
                };
                report.bytes += message.payload.len() as u64;
                if report.topics.len() < TOPICS || report.topics.contains_key(&message.topic) {
                    *report.topics.entry(message.topic.clone()).or_default() += 1;
                }
                if let Err(e) = mqtt.may_publish(&caller, &message) {
                    report.refused += 1;
                    report.why.get_or_insert_with(|| e.to_string());
                }
                Ok(true)
            })?;
            report.lost = end.lost;
            Ok(report)
        };
        self.tasks().blocking(work).await?
    }

    /// Plays a recording that was rehearsed. It ends at the first message that could not be sent: what
    /// follows would come out of order.
    ///
    /// # Errors
    /// As [`Mqtt::rehearse`]; Refused when a gate refuses one of its messages.
    pub(crate) async fn replay(
        &self,
        call: &Call,
        session: &Arc<Session>,
        score: &Score,
        mut report: Report,
    ) -> Result<Report, Error> {
        let caller = &call.caller;
        if let Some(why) = &report.why {
            let refused = report.refused;
            return Err(Error::refused(format!(
                "{refused} of its messages may not be published, so none was: {why}"
            )));
        }
        let (send, mut due) = mpsc::channel(AHEAD);
        let reading = self.tasks().blocking(feed(
            self.path_of(score)?,
            self.longest_line(),
            score.clone(),
            send,
        ));
        let began = tokio::time::Instant::now();
        let total = report.wanted.saturating_sub(report.without_payload) as f64;
        let mut told = began;
        let playing = async {
            while let Some(Due { after, message }) = due.recv().await {
                tokio::time::sleep_until(began + after).await;
                // Somebody may have changed the file since.
                self.may_publish(caller, &message)?;
                while self.take_publish(caller).is_err() {
                    tokio::time::sleep(PAUSE).await;
                }
                match session.publish(message).await? {
                    Outcome::Written { .. } => report.written += 1,
                    Outcome::NotSent(why) => {
                        report.not_sent += 1;
                        report.why = Some(why);
                        break;
                    }
                    Outcome::Unknown(why) => {
                        report.unknown += 1;
                        report.why = Some(why);
                        break;
                    }
                }
                if told.elapsed() >= TELL {
                    told = tokio::time::Instant::now();
                    call.progress.report(report.written as f64, Some(total), None).await;
                }
            }
            // The reader ends when nobody hears it.
            drop(due);
            Ok(report)
        };
        let (played, read) = tokio::join!(playing, reading);
        let told = |outcome, text: &str| {
            self.policy().record(caller, "mqtt replay", &score.name, outcome, Some(text));
        };
        match (played, read.and_then(|read| read)) {
            (Ok(report), Ok(())) => {
                told(policy::Outcome::Allowed, &format!("{} messages written", report.written));
                Ok(report)
            }
            (Err(e), _) | (_, Err(e)) => {
                told(policy::Outcome::Failed, e.what());
                Err(e)
            }
        }
    }

    fn take_publish(&self, caller: &Caller) -> Result<(), Error> {
        self.shared.publishes.take(caller.token, Instant::now(), "a token publishes")
    }

    fn path_of(&self, score: &Score) -> Result<PathBuf, Error> {
        super::shelf::check_name(&score.name)?;
        Ok(self.recorder().shelf().path(&score.name))
    }
}

/// Returns what reads the messages and hands them over; a full channel holds it up.
fn feed(
    path: PathBuf,
    longest: u64,
    score: Score,
    send: mpsc::Sender<Due>,
) -> impl FnOnce() -> Result<(), Error> + Send {
    move || {
        let mut first = None;
        lines(&path, longest, |line| {
            if !score.wants(&line) {
                return Ok(true);
            }
            let begin = *first.get_or_insert(line.t);
            let Some(message) = score.message(&line)? else { return Ok(true) };
            let after = match score.speed {
                speed if speed > 0.0 => since(begin, line.t).div_f64(speed),
                _ => Duration::ZERO,
            };
            Ok(send.blocking_send(Due { after, message }).is_ok())
        })
        .map(drop)
    }
}

fn since(begin: i64, at: i64) -> Duration {
    Duration::from_micros(u64::try_from(at.saturating_sub(begin)).unwrap_or(0))
}
