//! The renames in the list of changes, and the way back: a rename is undone by a rename.
//!
//! Whether one was undone is read from those that came after it, so that nothing needs to be noted
//! twice and a crash leaves no half of it.

use crate::error::{Error, Kind as Fault};
use crate::home::Home;
use crate::home::house::House;
use crate::home::refs::{self, Kind, Place, Thing};
use crate::home::rename::journal::{Head, Journal, Stage, Step};
use crate::home::rename::plan::{self, Plan};
use std::sync::Arc;

/// A rename that is kept, as the list of changes shows it.
#[derive(Clone, Debug)]
pub(crate) struct Kept {
    pub(crate) head: Head,
    /// Name of the house.
    pub(crate) house: Arc<str>,
    /// The rename that took it back, when one did.
    pub(crate) undone_by: Option<String>,
}

/// Whether `id` is that of a rename; those of other changes are shorter.
pub(crate) fn is_id(id: &str) -> bool {
    id.len() == 14 && moment(id).is_some()
}

/// When a rename began, by its id: milliseconds since 1970.
pub(crate) fn moment(id: &str) -> Option<u64> {
    id.strip_prefix('r')?.parse().ok()
}

/// Returns every rename that is kept, of all houses.
///
/// # Errors
/// What the store says.
pub(crate) async fn all(home: &Home) -> Result<Vec<Kept>, Error> {
    let mut all = Vec::new();
    for house in home.houses() {
        let heads = Journal::of(home.store(), &house.name).heads().await?;
        let kept = |head: &Head| Kept {
            head: head.clone(),
            house: house.name.clone(),
            undone_by: undone_by(&heads, &head.id).map(|by| by.id.clone()),
        };
        all.extend(heads.iter().map(kept));
    }
    Ok(all)
}

/// Returns the rename that took `id` back and still stands. Each looks only at later ones.
fn undone_by<'a>(heads: &'a [Head], id: &str) -> Option<&'a Head> {
    let back = |head: &&Head| {
        head.stage == Stage::Done
            && head.undoes.as_deref() == Some(id)
            && *head.id > *id
            && undone_by(heads, &head.id).is_none()
    };
    heads.iter().rev().find(back)
}

/// Returns the house in which the rename `id` was made.
///
/// # Errors
/// NotFound; what the store says.
pub(crate) async fn house_of<'a>(home: &'a Home, id: &str) -> Result<&'a Arc<House>, Error> {
    for house in home.houses() {
        match Journal::of(home.store(), &house.name).head(id).await {
            Ok(_) => return Ok(house),
            Err(e) if e.kind() == Fault::NotFound => {}
            Err(e) => return Err(e),
        }
    }
    Err(Error::not_found(
        "there is no such change, or it is too old to be kept; home_undo without arguments lists them",
    ))
}

/// Plans to take a finished rename back as a whole: the id, the name and every configuration. What
/// was edited since keeps its edits and gets only the old id again.
///
/// # Errors
/// NotFound for a rename that is not kept, Conflict when it is not done, was undone already or no
/// longer stands; as [`plan::plan`].
pub(crate) async fn undo(home: &Home, house: &House, id: &str) -> Result<Plan, Error> {
    let journal = Journal::of(home.store(), &house.name);
    let head = journal.head(id).await?;
    if let Some(by) = undone_by(&journal.heads().await?, id) {
        let by = &by.id;
        return Err(Error::conflict(format!(
            "the change {id} was undone by {by}; undo {by} to bring it back"
        )));
    }
    match head.stage {
        Stage::Done => {}
        Stage::RolledBack => {
            return Err(Error::conflict(format!("the change {id} never came into effect")));
        }
        Stage::Forward | Stage::Back => {
            return Err(Error::conflict(format!(
                "the change {id} is not finished; it goes on by itself, undo it then"
            )));
        }
    }
    let mut steps = Vec::new();
    for n in 0..head.steps {
        steps.push(journal.step(id, n).await?);
    }
    let mut plan = match head.from == head.to {
        false => {
            let thing = Thing { kind: Kind::Entity, id: head.to.clone() };
            plan::entity(home, house, &thing, &head.from, "").await?
        }
        true => Plan { from: head.from, to: head.to, ..Plan::default() },
    };
    plan.undoes = Some(id.to_owned());
    for step in steps {
        let known = plan.steps.iter_mut().find(|planned| planned.place == step.place);
        match known {
            Some(planned) if planned.old == step.new => planned.new = step.old,
            Some(planned) => {
                let hint = format!("{} was edited since; only the id changes there", planned.title);
                plan.hints.push(hint);
            }
            None if plan.from == plan.to => plan.add_name_back(home, house, step).await?,
            None => plan.hints.push(format!("{} does not name it any more", step.title)),
        }
    }
    Ok(plan)
}

impl Plan {
    /// Takes a change of the name alone back.
    async fn add_name_back(&mut self, home: &Home, house: &House, step: Step) -> Result<(), Error> {
        if refs::read(home, house, &step.place).await?.as_ref() != Some(&step.new) {
            return Err(Error::conflict(format!("{} was renamed again since", step.title)));
        }
        let field = step.name_field();
        let text = |value: &serde_json::Value| value[field].as_str().unwrap_or_default().to_owned();
        let (is, was) = (text(&step.new), text(&step.old));
        let title = match &step.place {
            Place::Device(_) => format!("device {is}"),
            Place::Area(_) => format!("area {is}"),
            _ => step.title,
        };
        self.changes.push(vec![[field.to_owned(), is, was]]);
        self.steps.push(Step { title, old: step.new, new: step.old, ..step });
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rename_is_undone_by_the_last_one_that_stands() {
        let head = |n: u32, undoes: Option<u32>, stage| Head {
            id: format!("r{n:013}"),
            undoes: undoes.map(|n| format!("r{n:013}")),
            stage,
            ..Head::default()
        };
        let by = |heads: &[Head], n: u32| {
            undone_by(heads, &format!("r{n:013}")).and_then(|head| moment(&head.id))
        };
        let mut heads = vec![head(1, None, Stage::Done)];
        assert_eq!(by(&heads, 1), None);
        // One that failed or is under way has undone nothing.
        heads.push(head(2, Some(1), Stage::RolledBack));
        heads.push(head(3, Some(1), Stage::Forward));
        assert_eq!(by(&heads, 1), None);
        heads.push(head(4, Some(1), Stage::Done));
        assert_eq!(by(&heads, 1), Some(4));
        // And back again.
        heads.push(head(5, Some(4), Stage::Done));
        assert_eq!((by(&heads, 1), by(&heads, 4)), (None, Some(5)));
        heads.push(head(6, Some(1), Stage::Done));
        assert_eq!((by(&heads, 1), by(&heads, 5)), (Some(6), None));
        assert!(is_id(&heads[0].id) && !is_id("mdq3k9x2a") && !is_id("r0") && !is_id("room"));
    }
}
