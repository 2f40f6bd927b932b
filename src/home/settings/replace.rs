//! Puts one version in place of another: the version that goes is stored, Home Assistant is written,
//! and what came of it is noted. What was not noted is found out from Home Assistant later.

use crate::error::Error;
use crate::home::changes::{Change, Draft, Part, Stand};
use crate::home::settings::access::Object;
use crate::home::settings::diff::hash;
use crate::home::settings::edit::Editor;
use crate::home::settings::kinds::{Kind, Way, kind};
use crate::home::settings::{members, scope};
use crate::home::text::clean;
use crate::policy::Outcome;
use serde_json::{Map, Value};
use std::collections::BTreeSet;

/// More about a replacement.
#[derive(Default)]
pub(crate) struct Replace {
    /// The change that is undone by it.
    pub(crate) undoes: Option<String>,
    /// What pointed to the object before it was deleted.
    pub(crate) members: Vec<members::Member>,
}

impl Editor<'_> {
    /// Puts `to` in place of `from` and keeps what is needed to undo it. The turn must be held.
    ///
    /// # Errors
    /// What the store or Home Assistant says; the change is noted as failed then.
    pub(crate) async fn replace(
        &self,
        kind: &Kind,
        id: Option<String>,
        from: Option<Object>,
        to: Option<Map<String, Value>>,
        more: Replace,
    ) -> Result<(Change, Option<String>), Error> {
        let (access, changes) = (self.access(), self.home.changes());
        let mut change = changes.head(self.caller, &self.house.name, Part::Config, kind.name);
        change.undoes = more.undoes;
        change.object = id.clone().unwrap_or_default();
        let fields = from.as_ref().map(|from| from.fields.clone());
        let named = to.as_ref().or(fields.as_ref()).and_then(|fields| fields.get(kind.title()));
        change.name = clean(named.and_then(Value::as_str).unwrap_or_default(), 100);
        change.action = match (&from, &to) {
            (None, _) => "created",
            (Some(_), Some(_)) => "changed",
            (Some(_), None) => "deleted",
        }
        .to_owned();
        let mut draft = Draft { before: fields, after: to, ..Draft::default() };
        match (&draft.before, &draft.after) {
            (Some(_), None) => draft.members = members::find(&access, kind, &change.object).await?,
            (None, Some(_)) => {
                draft.others =
                    access.all(kind).await?.into_iter().map(|object| object.id).collect();
            }
            _ => {}
        }
        if kind.way == Way::Blueprint && draft.before.is_some() {
            self.recall_yaml(&change.object, &mut draft).await?;
        }
        let entities = self.entities(kind, from.as_ref(), &draft);
        changes.begin(&mut change, entities.into_iter(), &draft).await?;
        let written = self.write(kind, id.as_deref(), &draft).await;
        match written {
            Ok((made, mut hint)) => {
                if let Some(made) = made {
                    change.object = made;
                }
                if !more.members.is_empty() {
                    match members::put_back(&access, kind, &change.object, &more.members).await {
                        Ok(0) => {}
                        Ok(failed) => {
                            hint = Some(format!("{failed} things could not be put back into it"))
                        }
                        Err(e) => hint = Some(format!("not everything was put back into it: {e}")),
                    }
                }
                change.stand = Stand::Done;
                self.note_what_is_there(kind, &change, &mut draft).await;
                changes.end(&mut change, Some(&draft)).await;
                Ok((change, hint))
            }
            Err(e) => {
                self.settle(&mut change).await;
                let target = self.target(kind, &change.object);
                let why = e.to_string();
                self.home.policy().record(
                    self.caller,
                    kind.name,
                    &target,
                    Outcome::Failed,
                    Some(&why),
                );
                Err(e)
            }
        }
    }

    async fn write(
        &self,
        kind: &Kind,
        id: Option<&str>,
        draft: &Draft,
    ) -> Result<(Option<String>, Option<String>), Error> {
        let access = self.access();
        match (&draft.before, &draft.after) {
            (None, Some(to)) => access.create(kind, id, to).await.map(|made| (Some(made), None)),
            (Some(from), Some(to)) => {
                access.update(kind, id.unwrap_or_default(), from, to).await.map(|hint| (None, hint))
            }
            (_, None) => access.remove(kind, id.unwrap_or_default()).await.map(|()| (None, None)),
        }
    }

    /// Home Assistant writes some values otherwise than they were given; undo compares with its own.
    async fn note_what_is_there(&self, kind: &Kind, change: &Change, draft: &mut Draft) {
        if draft.after.is_none() || kind.way == Way::Blueprint {
            return;
        }
        match self.access().read(kind, &change.object).await {
            Ok(Some(object)) => draft.after = Some(object.fields),
            Ok(None) => {}
            Err(e) => log::debug!("{} '{}' was not read back: {e}", kind.name, change.object),
        }
    }

    /// The text of a blueprint is known only when it was written through Hearth.
    async fn recall_yaml(&self, id: &str, draft: &mut Draft) -> Result<(), Error> {
        let changes = self.home.changes();
        let all = changes.all().await?;
        let is_it = |c: &&Change| {
            c.kind == "blueprint"
                && c.object == id
                && *c.house == *self.house.name
                && c.action == "created"
        };
        if let Some(last) = all.iter().rev().find(is_it)
            && let Some(after) = changes.version(&last.id).await?.after
            && let (Some(before), Some(yaml)) = (&mut draft.before, after.get("yaml"))
        {
            before.insert("yaml".into(), yaml.clone());
        }
        Ok(())
    }

    fn entities(&self, kind: &Kind, from: Option<&Object>, draft: &Draft) -> BTreeSet<String> {
        let cache = self.house.cache();
        let mut all: BTreeSet<String> =
            from.and_then(|from| scope::own_entity(kind, from)).into_iter().collect();
        for fields in [&draft.before, &draft.after].into_iter().flatten() {
            all.extend(scope::mentioned(&cache, &Value::Object(fields.clone())));
        }
        all
    }

    /// Finds out from Home Assistant what became of a change whose outcome is not noted, and notes it.
    /// While the house is away it stays as it is.
    pub(crate) async fn settle(&self, change: &mut Change) {
        if change.stand != Stand::Started || change.part != Part::Config {
            return;
        }
        match self.compared(change).await {
            Ok((stand, draft)) => {
                change.stand = stand;
                self.home.changes().end(change, Some(&draft)).await;
            }
            Err(e) => log::debug!("what became of the change {} is not known yet: {e}", change.id),
        }
    }

    async fn compared(&self, change: &mut Change) -> Result<(Stand, Draft), Error> {
        let kind = kind(&change.kind)?;
        let mut draft = self.home.changes().version(&change.id).await?;
        if change.object.is_empty() || kind.way == Way::Category {
            let all = self.access().all(kind).await?;
            let after = draft.after.clone().unwrap_or_default();
            let new = |o: &&Object| !draft.others.contains(&o.id) && has(&o.fields, &after);
            if draft.before.is_none() {
                let Some(found) = all.iter().find(new) else { return Ok((Stand::Failed, draft)) };
                change.object.clone_from(&found.id);
                draft.after = Some(found.fields.clone());
                return Ok((Stand::Done, draft));
            }
        }
        let now = self.access().read(kind, &change.object).await?.map(|now| now.fields);
        let is_it = |now: &Map<String, Value>, to: &Option<Map<String, Value>>| {
            kind.way == Way::Blueprint || to.as_ref().is_some_and(|to| has(now, to))
        };
        let stand = match (&now, &draft.before, &draft.after) {
            (None, None, Some(_)) => Stand::Failed,
            (None, ..) => Stand::Done,
            (Some(now), Some(before), _) if hash(now) == hash(before) => Stand::Failed,
            (Some(now), _, to) if is_it(now, to) => Stand::Done,
            _ => Stand::Unknown,
        };
        if stand == Stand::Done
            && draft.after.is_some()
            && now.is_some()
            && kind.way != Way::Blueprint
        {
            // Home Assistant adds what was left out; undo compares with all of it.
            draft.after = now;
        }
        Ok((stand, draft))
    }
}

/// Whether an object has everything that was written, whatever Home Assistant added.
fn has(now: &Map<String, Value>, written: &Map<String, Value>) -> bool {
    written.iter().filter(|(_, value)| !value.is_null()).all(|(field, value)| {
        let one = |value: &Value| Map::from_iter([(String::new(), value.clone())]);
        now.get(field).is_some_and(|is| hash(&one(is)) == hash(&one(value)))
    })
}
