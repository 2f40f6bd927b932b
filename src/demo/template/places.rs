//! Areas, floors, labels and devices as templates see them. Pure.

use crate::demo::plan::{self, Area, Device, Thing};
use crate::demo::registry;
use minijinja::Environment;

type Row = (Option<&'static Device>, &'static Thing);

fn area_of(word: &str) -> Option<&'static Area> {
    let by_id = |id: &str| plan::AREAS.iter().find(|a| a.id == id || a.name == id);
    let device = |d: &&Device| registry::device_id(d) == word;
    let of_device = plan::DEVICES.iter().find(device).and_then(|d| d.area);
    let of_entity = plan::thing(word).and_then(|(d, _)| d?.area);
    by_id(word).or_else(|| by_id(of_device.or(of_entity)?))
}

fn things(is_it: impl Fn(&Row) -> bool) -> Vec<String> {
    plan::things().filter(|row| is_it(row)).map(|(_, t)| t.id.to_owned()).collect()
}

fn ids<T>(all: &'static [T], id: impl Fn(&'static T) -> &'static str) -> Vec<String> {
    all.iter().map(|one| id(one).to_owned()).collect()
}

/// Adds each as function and as filter, as Home Assistant does.
pub(crate) fn ask(environment: &mut Environment<'_>) {
    let is_in = |area: Option<&'static str>| {
        move |row: &Row| area.is_some() && row.0.is_some_and(|d| d.area == area)
    };
    macro_rules! both {
        ($name:literal, $ask:expr) => {
            environment.add_function($name, $ask);
            environment.add_filter($name, $ask);
        };
    }
    environment.add_function("areas", || ids(plan::AREAS, |a| a.id));
    environment.add_function("floors", || ids(plan::FLOORS, |f| f.id));
    environment.add_function("labels", || ids(plan::LABELS, |l| l.id));
    both!("area_id", |word: &str| area_of(word).map(|a| a.id));
    both!("area_name", |word: &str| area_of(word).map(|a| a.name));
    both!("floor_id", |word: &str| floor_of(word).map(|f| f.id));
    both!("floor_name", |word: &str| floor_of(word).map(|f| f.name));
    both!("area_entities", move |word: &str| things(is_in(area_of(word).map(|a| a.id))));
    both!("floor_areas", |word: &str| {
        let floor = floor_of(word).map(|f| f.id);
        let on = plan::AREAS.iter().filter(|a| Some(a.floor) == floor);
        on.map(|a| a.id.to_owned()).collect::<Vec<_>>()
    });
    both!("floor_entities", |word: &str| {
        let floor = floor_of(word).map(|f| f.id);
        things(|row| {
            let area = row.0.and_then(|d| d.area).and_then(area_of);
            area.is_some_and(|a| Some(a.floor) == floor)
        })
    });
    both!("label_entities", |word: &str| things(|(_, t)| t.labels.contains(&word)));
    both!("label_name", |word: &str| {
        plan::LABELS.iter().find(|l| l.id == word).map(|l| l.name)
    });
    both!("device_id", |word: &str| {
        plan::thing(word).and_then(|(device, _)| device).map(registry::device_id)
    });
    both!("device_entities", |word: &str| {
        things(|(device, _)| device.is_some_and(|d| registry::device_id(d) == word))
    });
}

fn floor_of(word: &str) -> Option<&'static plan::Floor> {
    let named = plan::FLOORS.iter().find(|f| f.id == word || f.name == word);
    named.or_else(|| {
        let area = area_of(word)?;
        plan::FLOORS.iter().find(|f| f.id == area.floor)
    })
}
