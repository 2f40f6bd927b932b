//! Restores what a change replaced: a configured thing, or the states before a call. That is a change
//! itself, and can be undone.

use crate::error::Error;
use crate::home::Home;
use crate::home::call::{self, Order, Plan};
use crate::home::changes::{Change, Draft, Part, Stand, states};
use crate::home::house::House;
use crate::home::rename::undo::{self as rename, Kept};
use crate::home::select::Target;
use crate::home::settings::access::Object;
use crate::home::settings::diff::{diff, hash};
use crate::home::settings::edit::Editor;
use crate::home::settings::kinds::{Kind, Way, kind};
use crate::home::settings::replace::Replace;
use crate::home::settings::scope;
use crate::home::text::clean;
use crate::policy::{Caller, Level, Outcome};
use serde_json::{Map, Value, json};
use std::sync::Arc;

/// Somebody who undoes.
#[derive(Clone, Copy)]
pub(crate) struct Undoer<'a> {
    pub(crate) home: &'a Home,
    pub(crate) caller: &'a Caller,
    pub(crate) confirm: Option<&'a str>,
}

impl<'a> Undoer<'a> {
    /// Returns the renames that the caller may see. They reach into every configuration, so whoever
    /// may see chosen entities only sees none of them.
    ///
    /// # Errors
    /// What the store says.
    pub(crate) async fn renames(&self) -> Result<Vec<Kept>, Error> {
        match self.home.sight(self.caller).is_open() {
            true => rename::all(self.home).await,
            false => Ok(Vec::new()),
        }
    }

    /// Returns the changes that the caller may see, the newest first. Those whose outcome was not
    /// noted are compared with what their house has.
    ///
    /// # Errors
    /// What the store says.
    pub(crate) async fn list(&self) -> Result<Vec<Change>, Error> {
        let mut all = self.home.changes().all().await?;
        all.reverse();
        all.retain(|change| self.sees(change));
        for change in all.iter_mut().filter(|change| change.stand == Stand::Started) {
            if let Ok(house) = self.home.house(Some(&change.house)) {
                self.settle(house, change).await;
            }
        }
        Ok(all)
    }

    /// Finds out what became of a change whose outcome was not noted; nobody may be at it meanwhile.
    async fn settle(&self, house: &Arc<House>, change: &mut Change) {
        if change.stand != Stand::Started || change.part != Part::Config || !house.is_fresh() {
            return;
        }
        let _turn = self.home.changes().turn().await;
        if let Ok(now) = self.home.changes().get(&change.id).await {
            *change = now;
        }
        self.editor(house).settle(change).await;
    }

    /// Whether all that a change has to do with may be seen by the caller.
    fn sees(&self, change: &Change) -> bool {
        let sight = self.home.sight(self.caller);
        if sight.is_open() {
            return true;
        }
        let Ok(house) = self.home.house(Some(&change.house)) else { return false };
        let cache = house.cache();
        let hidden = |id: &String| sight.get(&cache, id).is_none();
        !change.more_entities && !change.entities.is_empty() && !change.entities.iter().any(hidden)
    }

    fn editor(&self, house: &'a Arc<House>) -> Editor<'a> {
        let Undoer { home, caller, confirm } = *self;
        Editor { home, house, caller, confirm }
    }

    /// Undoes the change `id`, or says what that would do.
    ///
    /// # Errors
    /// NotFound for a change that is not kept or may not be seen; Conflict when it was undone already,
    /// or a person must agree; Refused; Offline.
    pub(crate) async fn undo(&self, id: &str, dry_run: bool) -> Result<Value, Error> {
        let changes = self.home.changes();
        let mut change = changes.get(id.trim()).await?;
        if !self.sees(&change) {
            return Err(Error::not_found(
                "there is no such change; home_undo without arguments lists them",
            ));
        }
        let house = self.home.house(Some(&change.house))?;
        if !house.is_fresh() {
            return Err(house.link.away());
        }
        self.settle(house, &mut change).await;
        if let Some(by) = &change.undone_by {
            return Err(Error::conflict(format!(
                "the change {id} was undone by {by}; undo {by} to bring it back"
            )));
        }
        if change.stand == Stand::Failed {
            return Err(Error::conflict(format!("the change {id} never came into effect")));
        }
        if self.home.config().read_only {
            return Err(Error::refused("the houses are set to read-only (home.read_only)"));
        }
        let draft = changes.version(&change.id).await?;
        let (mut answer, by) = match change.part {
            Part::Config => self.undo_config(house, &change, draft, dry_run).await?,
            Part::States => self.undo_states(house, &change, draft, dry_run).await?,
        };
        answer["undoes"] = change.id.as_str().into();
        if let Some(by) = by {
            answer["change"] = by.as_str().into();
            self.mark(&mut change, by).await;
        }
        Ok(answer)
    }

    /// Notes by what a change was undone; what that change had undone itself is in effect again.
    async fn mark(&self, change: &mut Change, by: String) {
        let changes = self.home.changes();
        change.undone_by = Some(by);
        changes.end(change, None).await;
        if let Some(first) = &change.undoes
            && let Ok(mut first) = changes.get(first).await
        {
            first.undone_by = None;
            changes.end(&mut first, None).await;
        }
    }

    async fn undo_config(
        &self,
        house: &'a Arc<House>,
        change: &Change,
        draft: Draft,
        dry_run: bool,
    ) -> Result<(Value, Option<String>), Error> {
        let (editor, kind) = (self.editor(house), kind(&change.kind)?);
        self.check_versions(house, kind, change, &draft)?;
        let _turn = self.home.changes().turn().await;
        let now = editor.access().read(kind, &change.object).await?;
        if let Some(now) = &now {
            scope::check_write(self.home, house, self.caller, kind, &[now])?;
        }
        let fields = now.as_ref().map(|now| now.fields.clone());
        let nothing = || Value::Object(Map::new());
        let shown = |fields: &Option<Map<_, _>>| fields.clone().map_or_else(nothing, Value::Object);
        let mut answer = json!({
            "kind": kind.name,
            "id": clean(&change.object, 120),
            "diff": diff(&shown(&fields), &shown(&draft.before)),
        });
        if is_same(fields.as_ref(), draft.before.as_ref()) {
            answer["action"] = "unchanged".into();
            return Ok((answer, None));
        }
        let asks = self.asks(house, kind, &draft, fields.as_ref());
        let target = editor.target(kind, &change.object);
        if dry_run {
            self.home.policy().record(self.caller, "home_undo", &target, Outcome::DryRun, None);
            if !asks.is_empty() {
                answer["needs_confirmation"] = asks.into();
            }
            return Ok((answer, None));
        }
        if !asks.is_empty() {
            let version = fields.as_ref().map(hash).unwrap_or_default();
            let asked = format!("{target} ({}), change {}, {version}", asks.join(", "), change.id);
            self.home.policy().confirm(self.caller, "home_undo", &asked, self.confirm)?;
        }
        if let (Way::Blueprint, Some(before)) = (kind.way, &draft.before)
            && !before.contains_key("yaml")
        {
            return Err(Error::conflict(
                "Home Assistant does not give a blueprint's text, so what was deleted is not known here",
            ));
        }
        let to = restored(kind, draft.before, fields.as_ref());
        answer["action"] = match (&now, &to) {
            (_, None) => "deleted",
            (None, _) => "created",
            _ => "changed",
        }
        .into();
        let more = Replace { undoes: Some(change.id.clone()), members: draft.members };
        let (done, hint) = editor.replace(kind, Some(change.object.clone()), now, to, more).await?;
        self.home.policy().record(self.caller, "home_undo", &target, Outcome::Allowed, None);
        if done.object != change.object {
            answer["id"] = clean(&done.object, 120).into();
        }
        if let Some(hint) = hint {
            answer["hint"] = hint.into();
        }
        Ok((answer, Some(done.id)))
    }

    /// Checks that the caller may write what was there and what is.
    fn check_versions(
        &self,
        house: &House,
        kind: &Kind,
        change: &Change,
        draft: &Draft,
    ) -> Result<(), Error> {
        let object = |fields: &Map<String, Value>| {
            let (id, more) = (change.object.clone(), Map::new());
            Object { id, fields: fields.clone(), more }
        };
        let versions = [&draft.before, &draft.after].into_iter().flatten();
        let versions: Vec<Object> = versions.map(object).collect();
        let versions: Vec<&Object> = versions.iter().collect();
        scope::check_write(self.home, house, self.caller, kind, &versions)
    }

    /// Returns what a person must agree to, given what is there now.
    fn asks(
        &self,
        house: &House,
        kind: &Kind,
        draft: &Draft,
        now: Option<&Map<String, Value>>,
    ) -> Vec<String> {
        let risky = |fields| scope::risky(self.home, &house.cache(), kind, fields);
        let mut asks = draft.before.as_ref().map(risky).unwrap_or_default();
        // A blueprint is never changed, and what is read of it is not what was written.
        let is_blueprint = kind.way == Way::Blueprint && now.is_some();
        if !is_same(now, draft.after.as_ref()) && !is_blueprint {
            asks.push("what was changed since then is lost".to_owned());
        }
        if kind.asks {
            asks.push(format!("a change of a {}", kind.name));
        }
        asks
    }

    async fn undo_states(
        &self,
        house: &'a Arc<House>,
        change: &Change,
        draft: Draft,
        dry_run: bool,
    ) -> Result<(Value, Option<String>), Error> {
        self.home.policy().check(self.caller, "home", Level::Control)?;
        let was = draft.before.unwrap_or_default();
        let (calls, same) = states::back(&house.cache(), &was);
        let mut plans: Vec<Plan> = Vec::new();
        for back in calls {
            let target = Target { entities: back.ids, ..Target::default() };
            let order =
                Order { service: back.service, target, data: back.data, return_response: false };
            plans.push(call::plan(self.home, house, self.caller, order)?);
        }
        let rows = |plan: &Plan| json!({ "service": plan.service, "entities": plan.touched });
        let mut answer = json!({
            "action": if plans.is_empty() { "unchanged" } else { "called" },
            "calls": plans.iter().map(rows).collect::<Vec<_>>(),
            "so_already": same,
        });
        let risky: Vec<String> = plans.iter().flat_map(|plan| plan.risky.iter().cloned()).collect();
        let target = format!("{}: the states before {}", house.name, change.kind);
        if dry_run || plans.is_empty() {
            self.home.policy().record(self.caller, "home_undo", &target, Outcome::DryRun, None);
            if !risky.is_empty() {
                answer["needs_confirmation"] = risky.into();
            }
            return Ok((answer, None));
        }
        if !risky.is_empty() {
            let asked =
                format!("{} in the house '{}', change {}", risky.join(", "), house.name, change.id);
            self.home.policy().confirm(self.caller, "home_undo", &asked, self.confirm)?;
        }
        let touched = was.keys().map(String::as_str);
        let before = states::all_kept(&house.cache(), touched);
        let mut undo =
            self.home.changes().head(self.caller, &house.name, Part::States, "home_undo");
        undo.action = "called".into();
        undo.stand = Stand::Done;
        undo.undoes = Some(change.id.clone());
        let ids: Vec<String> = before.keys().cloned().collect();
        let kept = Draft { before: Some(before), ..Draft::default() };
        self.home.changes().begin(&mut undo, ids.into_iter(), &kept).await?;
        let mut failed = Vec::new();
        for plan in plans {
            let service = plan.service.clone();
            if let Err(e) = call::run_agreed(self.home, house, self.caller, plan).await {
                failed.push(format!("{service}: {e}"));
            }
        }
        let (outcome, why) = match failed.is_empty() {
            true => (Outcome::Allowed, None),
            false => (Outcome::Failed, Some(failed.join("; "))),
        };
        self.home.policy().record(self.caller, "home_undo", &target, outcome, why.as_deref());
        if !failed.is_empty() {
            answer["failed"] = failed.into();
        }
        Ok((answer, Some(undo.id)))
    }
}

fn is_same(a: Option<&Map<String, Value>>, b: Option<&Map<String, Value>>) -> bool {
    a.map(hash) == b.map(hash)
}

/// Returns the fields to write, so that what came since is gone too.
fn restored(
    kind: &Kind,
    before: Option<Map<String, Value>>,
    now: Option<&Map<String, Value>>,
) -> Option<Map<String, Value>> {
    let mut to = before?;
    // Of a blueprint only the text is written.
    if kind.way == Way::Blueprint {
        to.retain(|field, _| field == "yaml");
    }
    for (field, _) in now.into_iter().flatten().filter(|(field, _)| kind.is_nullable(field)) {
        to.entry(field.clone()).or_insert(Value::Null);
    }
    Some(to)
}

/// Remembers the states that a call may change, before it is made.
///
/// # Errors
/// What the store says; Limit when there are too many.
pub(crate) async fn remember(
    home: &Home,
    house: &House,
    caller: &Caller,
    plan: &Plan,
) -> Result<Option<Change>, Error> {
    let ids = || plan.touched.iter().map(|id| &**id).chain(plan.implied.iter().map(String::as_str));
    let before = states::all_kept(&house.cache(), ids());
    if before.is_empty() {
        return Ok(None);
    }
    let mut change = home.changes().head(caller, &house.name, Part::States, &plan.service);
    change.action = "called".into();
    // Bringing back what never changed does nothing, so that one note is enough.
    change.stand = Stand::Done;
    let entities: Vec<String> = before.keys().cloned().collect();
    let draft = Draft { before: Some(before), ..Draft::default() };
    home.changes().begin(&mut change, entities.into_iter(), &draft).await?;
    Ok(Some(change))
}
