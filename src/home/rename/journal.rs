//! What a rename is going to write, kept in the store before the first write.
//!
//! The steps are stored first and the head last: a head in the store means that the whole plan is
//! there. A mark is added after each write. It never talks to a house.

use crate::error::Error;
use crate::home::refs::Place;
use crate::store::{Store, VALUE_MAX};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

const HEADS: &str = "home-rename";
const STEPS: &str = "home-rename-step";
const MARKS: &str = "home-rename-mark";
/// So many finished changes of a house are kept, so that they can be undone.
const KEPT: usize = 50;

/// How far a change is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Stage {
    /// The new is being written.
    #[default]
    Forward,
    /// The old is being written again.
    Back,
    /// All of it is written.
    Done,
    /// Nothing of it is left.
    RolledBack,
}

impl Stage {
    /// Whether there is nothing more to do.
    pub(crate) fn is_final(self) -> bool {
        matches!(self, Stage::Done | Stage::RolledBack)
    }
}

/// One change as a whole.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Head {
    /// Sorts by time; unique in a house.
    pub(crate) id: String,
    pub(crate) from: String,
    pub(crate) to: String,
    /// The kind of what is renamed and what people call it.
    pub(crate) title: String,
    /// The new name; empty for the one that its integration gives. `None` when it stays.
    pub(crate) new_name: Option<String>,
    pub(crate) by: String,
    pub(crate) via: String,
    /// The rename that this one takes back.
    pub(crate) undoes: Option<String>,
    /// Seconds since 1970.
    pub(crate) at: f64,
    pub(crate) steps: usize,
    pub(crate) stage: Stage,
    /// Why it was rolled back, and what could not be.
    pub(crate) why: Option<String>,
}

/// One write.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Step {
    pub(crate) place: Place,
    /// What a person calls it by.
    pub(crate) title: String,
    pub(crate) old: Value,
    pub(crate) new: Value,
}

impl Step {
    /// The field that holds the name of an entity, a device or an area.
    pub(crate) fn name_field(&self) -> &'static str {
        match &self.place {
            Place::Device(_) => "name_by_user",
            _ => "name",
        }
    }

    /// The name that it gives, empty for none of its own; `None` when the name stays.
    pub(crate) fn new_name(&self) -> Option<String> {
        let (old, new) = (&self.old[self.name_field()], &self.new[self.name_field()]);
        (old != new).then(|| new.as_str().unwrap_or_default().to_owned())
    }
}

/// The journal of one house.
#[derive(Clone)]
pub(crate) struct Journal {
    store: Store,
    house: String,
}

impl Journal {
    /// Opens the journal of a house.
    pub(crate) fn of(store: &Store, house: &str) -> Journal {
        Journal { store: store.clone(), house: house.to_owned() }
    }

    fn key(&self, id: &str) -> String {
        format!("{}/{id}", self.house)
    }

    /// Writes a whole plan down; afterwards it happens, or is taken back, whatever comes.
    ///
    /// # Errors
    /// Limit for a configuration that is too large for the store; what the store says.
    pub(crate) async fn begin(&self, head: &Head, steps: &[Step]) -> Result<(), Error> {
        for (n, step) in steps.iter().enumerate() {
            // Apart, so that each may be as large as a value can be.
            let rest = (&step.place, &step.title, &step.old);
            for (part, json) in [("a", written(&rest)?), ("b", written(&step.new)?)] {
                if json.len() > VALUE_MAX {
                    let title = &step.title;
                    return Err(Error::limit(format!("{title} has more than {VALUE_MAX} bytes")));
                }
                let key = format!("{}/{n:04}/{part}", self.key(&head.id));
                self.store.put(STEPS, &key, &json, None).await?;
            }
        }
        self.save(head).await
    }

    /// Writes down how far it is.
    ///
    /// # Errors
    /// What the store says.
    pub(crate) async fn save(&self, head: &Head) -> Result<(), Error> {
        self.store.put(HEADS, &self.key(&head.id), &written(head)?, None).await
    }

    /// Marks a step as written.
    ///
    /// # Errors
    /// What the store says.
    pub(crate) async fn mark(&self, id: &str, n: usize) -> Result<(), Error> {
        self.store.put(MARKS, &format!("{}/{n:04}", self.key(id)), b"1", None).await
    }

    /// Whether a step is marked.
    ///
    /// # Errors
    /// What the store says.
    pub(crate) async fn is_marked(&self, id: &str, n: usize) -> Result<bool, Error> {
        let mark = self.store.get(MARKS, &format!("{}/{n:04}", self.key(id))).await?;
        Ok(mark.is_some())
    }

    /// Returns a step.
    ///
    /// # Errors
    /// Broken when it is not there or cannot be read.
    pub(crate) async fn step(&self, id: &str, n: usize) -> Result<Step, Error> {
        let part = async |part: &str| {
            let key = format!("{}/{n:04}/{part}", self.key(id));
            let json = self.store.get(STEPS, &key).await?;
            json.ok_or_else(|| Error::broken(format!("the store has no {STEPS} {key}")))
        };
        let (place, title, old): (Place, String, Value) = read(&part("a").await?)?;
        Ok(Step { place, title, old, new: read(&part("b").await?)? })
    }

    /// Returns a change.
    ///
    /// # Errors
    /// NotFound.
    pub(crate) async fn head(&self, id: &str) -> Result<Head, Error> {
        let known = id.len() <= 40 && id.chars().all(|c| c.is_ascii_alphanumeric());
        let json = match known {
            true => self.store.get(HEADS, &self.key(id)).await?,
            false => None,
        };
        match json {
            Some(json) => read(&json),
            None => Err(Error::not_found(format!(
                "there is no rename '{}' of the house '{}'; home_undo lists those that are kept",
                crate::home::text::clean(id, 60),
                self.house
            ))),
        }
    }

    /// Returns every change that is kept, oldest first.
    ///
    /// # Errors
    /// What the store says.
    pub(crate) async fn heads(&self) -> Result<Vec<Head>, Error> {
        let prefix = self.key("");
        let (mut heads, mut after) = (Vec::new(), None);
        loop {
            let page = self.store.list(HEADS, &prefix, after.as_deref(), 100).await?;
            let Some((last, _)) = page.last() else { return Ok(heads) };
            after = Some(last.clone());
            for (_, json) in &page {
                heads.push(read(json)?);
            }
        }
    }

    /// Forgets the oldest finished changes beyond those that are kept.
    ///
    /// # Errors
    /// What the store says.
    pub(crate) async fn tidy(&self) -> Result<(), Error> {
        let heads = self.heads().await?;
        let ended: Vec<&Head> = heads.iter().filter(|head| head.stage.is_final()).collect();
        for head in &ended[..ended.len().saturating_sub(KEPT)] {
            let key = self.key(&head.id);
            // The head first: without it nobody looks for the rest.
            self.store.delete(HEADS, &key).await?;
            for n in 0..head.steps {
                self.store.delete(MARKS, &format!("{key}/{n:04}")).await?;
                for part in ["a", "b"] {
                    self.store.delete(STEPS, &format!("{key}/{n:04}/{part}")).await?;
                }
            }
        }
        Ok(())
    }
}

fn written<T: Serialize>(value: &T) -> Result<Vec<u8>, Error> {
    serde_json::to_vec(value)
        .map_err(|e| Error::broken("a rename cannot be written down").because(e))
}

fn read<T: DeserializeOwned>(json: &[u8]) -> Result<T, Error> {
    serde_json::from_slice(json)
        .map_err(|e| Error::broken("the store has a rename that cannot be read").because(e))
}
