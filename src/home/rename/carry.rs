//! Carries a change out, or takes it back: one write after the other, each compared first.
//!
//! The same code runs for a call and after a crash. A step whose place holds the new is done; one
//! whose place holds the old is written; anything else was changed by somebody in the meantime, and
//! then everything is taken back.

use crate::error::Error;
use crate::home::Home;
use crate::home::house::House;
use crate::home::refs::{self, Needle, mentions, rewritten};
use crate::home::rename::journal::{Head, Journal, Stage, Step};
use serde_json::Value;

/// Carries out what `head` stands for until it is done or rolled back; what it came to is in its
/// stage.
///
/// # Errors
/// Offline, Timeout, and what the store says: then it stays open and is carried on later.
pub(crate) async fn out(
    home: &Home,
    house: &House,
    journal: &Journal,
    head: &mut Head,
) -> Result<(), Error> {
    if head.stage == Stage::Forward {
        match forward(home, house, journal, head).await? {
            None => {
                head.stage = Stage::Done;
                return journal.save(head).await;
            }
            Some(why) => {
                head.why = Some(why.to_string());
                head.stage = Stage::Back;
                journal.save(head).await?;
            }
        }
    }
    if head.stage == Stage::Back {
        let left = back(home, house, journal, head).await?;
        if !left.is_empty() {
            let why = head.why.take().unwrap_or_default();
            head.why = Some(format!("{why}; not put back: {}", left.join(", ")));
        }
        head.stage = Stage::RolledBack;
        journal.save(head).await?;
    }
    Ok(())
}

/// Writes the new; returns why it cannot be finished.
async fn forward(
    home: &Home,
    house: &House,
    journal: &Journal,
    head: &Head,
) -> Result<Option<Error>, Error> {
    for n in 0..head.steps {
        if journal.is_marked(&head.id, n).await? {
            continue;
        }
        let step = journal.step(&head.id, n).await?;
        match set(home, house, &step).await {
            Ok(()) => journal.mark(&head.id, n).await?,
            Err(e) if e.kind().row().retryable => return Err(e),
            Err(e) => return Ok(Some(e.at(step.title))),
        }
    }
    Ok(None)
}

async fn set(home: &Home, house: &House, step: &Step) -> Result<(), Error> {
    let Some(now) = refs::read(home, house, &step.place).await? else {
        return Err(Error::conflict("it is not there any more"));
    };
    if now == step.new {
        return Ok(());
    }
    if now != step.old {
        return Err(Error::conflict(
            "it was changed elsewhere after the change was planned; look at it and start again",
        ));
    }
    refs::write(home, house, &step.place, &now, &step.new).await
}

/// Writes the old, last step first; returns what could not be put back.
async fn back(
    home: &Home,
    house: &House,
    journal: &Journal,
    head: &Head,
) -> Result<Vec<String>, Error> {
    let mut left = Vec::new();
    for n in (0..head.steps).rev() {
        let step = journal.step(&head.id, n).await?;
        match reset(home, house, head, &step).await {
            Ok(()) => {}
            Err(e) if e.kind().row().retryable => return Err(e),
            Err(e) => left.push(format!("{} ({e})", step.title)),
        }
    }
    Ok(left)
}

async fn reset(home: &Home, house: &House, head: &Head, step: &Step) -> Result<(), Error> {
    let Some(now) = refs::read(home, house, &step.place).await? else { return Ok(()) };
    let old = if now == step.new { step.old.clone() } else { undone(head, step, &now)? };
    match now == old {
        true => Ok(()),
        false => refs::write(home, house, &step.place, &now, &old).await,
    }
}

/// What somebody changed after it was written keeps their change and loses only the new id.
fn undone(head: &Head, step: &Step, now: &Value) -> Result<Value, Error> {
    let had_it = !mentions(&step.old, &[Needle::Word(head.to.clone())]).is_empty();
    match *now == step.old || head.from == head.to || had_it {
        true => Ok(now.clone()),
        false => rewritten(now, &head.to, &head.from),
    }
}
