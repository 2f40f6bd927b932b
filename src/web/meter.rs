//! What is measured, as whoever measures writes it down: names, help and numbers, no more.
//! [`crate::web`]'s metrics turn it into the text that Prometheus reads.

use std::collections::BTreeMap;
use std::sync::Arc;

/// Writes down what one part of Hearth measures; called at each scrape, so it must be quick.
pub type Gather = Arc<dyn Fn(&mut Meter) + Send + Sync>;

/// Whether a number only grows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Grows {
    Counter,
    Gauge,
}

/// The numbers of one name, one per set of labels.
#[derive(Debug)]
pub(super) struct Family {
    pub(super) grows: Grows,
    pub(super) help: &'static str,
    pub(super) numbers: Vec<(Vec<(&'static str, String)>, f64)>,
}

/// The sheet that gatherers write on.
#[derive(Debug, Default)]
pub struct Meter {
    pub(super) families: BTreeMap<&'static str, Family>,
}

impl Meter {
    /// Writes down a number that goes up and down. `name` holds the unit (`…_bytes`, `…_seconds`)
    /// and begins with `hearth_<part>_`; `help` ends without a full stop.
    pub fn gauge(
        &mut self,
        name: &'static str,
        help: &'static str,
        labels: &[(&'static str, &str)],
        value: f64,
    ) {
        self.write(Grows::Gauge, name, help, labels, value);
    }

    /// Writes down a number that only grows, from 0 at the start. The format adds `_total` to
    /// `name`.
    pub fn counter(
        &mut self,
        name: &'static str,
        help: &'static str,
        labels: &[(&'static str, &str)],
        value: u64,
    ) {
        // Counts beyond 2^53 lose their last digits; none of ours gets there.
        #[allow(clippy::cast_precision_loss, reason = "see above")]
        self.write(Grows::Counter, name, help, labels, value as f64);
    }

    /// Writes down seconds that only grow.
    pub(super) fn counter_seconds(&mut self, name: &'static str, help: &'static str, value: f64) {
        self.write(Grows::Counter, name, help, &[], value);
    }

    fn write(
        &mut self,
        grows: Grows,
        name: &'static str,
        help: &'static str,
        labels: &[(&'static str, &str)],
        value: f64,
    ) {
        let family =
            self.families.entry(name).or_insert(Family { grows, help, numbers: Vec::new() });
        let labels = labels.iter().map(|(key, value)| (*key, (*value).to_owned())).collect();
        family.numbers.push((labels, value));
    }
}
