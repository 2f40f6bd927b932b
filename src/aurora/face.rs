//! What Aurora shows of itself elsewhere: its line on the overview, `/metrics`.

use crate::aurora::Aurora;
use crate::aurora::listen::Doing;
use crate::policy::{Caller, Level};
use crate::web;
use std::sync::Arc;

/// Returns the page.
pub fn page(aurora: &Aurora) -> web::Page {
    let own = aurora.clone();
    let summary: web::Summary = Arc::new(move |caller: &Caller| sentence(&own, caller));
    web::Page { name: "aurora", title: "Aurora", events: &[], summary: Some(summary), check: None }
}

/// What Aurora does, in one sentence.
fn sentence(aurora: &Aurora, caller: &Caller) -> String {
    if !aurora.policy().may(caller, "aurora", Level::Read) {
        return "not for this token".into();
    }
    let lamps = match aurora.roster(caller).len() {
        0 => "no lamps yet".to_owned(),
        1 => "1 lamp".to_owned(),
        n => format!("{n} lamps"),
    };
    let report = aurora.listening().report();
    match report.state {
        Doing::Listening if report.sounding => format!("{lamps}, hears music or speech"),
        Doing::Listening => format!("{lamps}, hears nothing"),
        Doing::Waiting => format!("{lamps}, the sound input is not there"),
        Doing::Idle | Doing::Ended => format!("{lamps}, nobody listens"),
    }
}

/// Returns what `/metrics` shows.
pub fn gather(aurora: &Aurora) -> web::Gather {
    let aurora = aurora.clone();
    Arc::new(move |meter| {
        let report = aurora.listening().report();
        let about = "Hops of 10 ms that were heard";
        meter.counter("hearth_aurora_hops", about, &[], report.hops);
        let about = "How often sound was lost because the machine was too slow";
        meter.counter("hearth_aurora_overruns", about, &[], report.overruns);
        let about = "How often the input was opened again after it went away";
        meter.counter("hearth_aurora_reopened", about, &[], report.reopened);
        let about = "Who listens: shows, pages";
        meter.gauge("hearth_aurora_listeners", about, &[], report.listeners as f64);
    })
}
