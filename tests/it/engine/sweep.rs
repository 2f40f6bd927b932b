//! What a run of Hearth leaves behind is found by the next.

use crate::engine::rig::{Which, engine, order, settings, suite};
use hearth::orchestrator::engine::Engine;
use hearth::orchestrator::sandbox::Place as _;
use std::collections::BTreeSet;

suite!(
    what_a_former_run_left_is_swept_and_nothing_of_other_nodes,
    a_name_that_was_left_behind_can_be_used_again,
);

async fn what_a_former_run_left_is_swept_and_nothing_of_other_nodes(which: Which) {
    let Some(place) = engine(which, "sweep").await else { return };
    let Some(other) = engine(which, "sweep-other").await else { return };
    let neighbour = other.engine.start(&order("sweep-other", "one")).await.unwrap();
    // A process that is killed ends nothing: its handles are as if forgotten.
    let former = Engine::new(settings(&place.host, "sweep"), &place.tasks).unwrap();
    for name in ["left-1", "left-2"] {
        std::mem::forget(former.start(&order("sweep", name)).await.unwrap());
    }
    let kept = place.engine.start(&order("sweep", "kept")).await.unwrap();
    std::mem::forget(place.engine.start(&order("sweep", "forgotten")).await.unwrap());
    assert_eq!(place.containers().len(), 4, "{:?}", place.containers());

    let keep = BTreeSet::from(["kept".to_owned(), "left-1".to_owned()]);
    assert_eq!(place.engine.sweep(&keep).await.unwrap(), 3);
    let left = place.containers();
    assert!(left.len() == 1 && left[0].contains(&kept.id), "{left:?}");
    assert_eq!(place.engine.sweep(&keep).await.unwrap(), 0);
    assert_eq!(other.containers().len(), 1);
    kept.hold.end().await.unwrap();
    neighbour.hold.end().await.unwrap();
}

async fn a_name_that_was_left_behind_can_be_used_again(which: Which) {
    let Some(place) = engine(which, "again").await else { return };
    let former = Engine::new(settings(&place.host, "again"), &place.tasks).unwrap();
    let old = former.start(&order("again", "same")).await.unwrap();
    let id = old.id.clone();
    std::mem::forget(old);
    let new = place.engine.start(&order("again", "same")).await.unwrap();
    let there = place.containers();
    assert!(there.len() == 1 && !there[0].contains(&id), "{there:?}");
    new.hold.end().await.unwrap();
}
