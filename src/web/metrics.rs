//! `/metrics`: what [`crate::web::Meter`] holds, in the text format that Prometheus reads.

use crate::error::Error;
use crate::http::{Counters, IntoResponse, Response, State, header};
use crate::policy::Level;
use crate::tasks;
use crate::web::meter::{Family, Grows, Meter};
use crate::web::{MaybeCaller, Web, now, process, required};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric, MetricEncoder, text};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Registry;
use std::fmt;
use std::sync::Arc;

const KIND: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
const STATES: [&str; 4] = ["starting", "up", "degraded", "down"];

/// Answers `/metrics`.
pub(super) async fn metrics(
    State(web): State<Arc<Web>>,
    caller: MaybeCaller,
) -> Result<Response, Error> {
    web.parts.policy.check(&required(caller)?, "web", Level::Read)?;
    let mut meter = Meter::default();
    process::gather(&mut meter);
    own(&web, &mut meter);
    connections(&web.parts.counters, &mut meter);
    for gather in &web.parts.gather {
        gather(&mut meter);
    }
    let text = write(meter)?;
    Ok(([(header::CONTENT_TYPE, KIND), (header::CACHE_CONTROL, "no-store")], text).into_response())
}

/// What web itself knows: the program, its tasks, its events.
fn own(web: &Web, meter: &mut Meter) {
    let version = [("version", env!("CARGO_PKG_VERSION"))];
    meter.gauge("hearth_build", "Always 1; the label tells the version", &version, 1.0);
    let up = now() - web.started;
    meter.gauge("hearth_uptime_seconds", "Time since the start", &[], up);
    let events = web.parts.events.newest();
    meter.counter("hearth_events", "Events told on the bus", &[], events);
    for health in web.parts.tasks.health() {
        let whose = if health.whose == tasks::Whose::Own { "own" } else { "peer" };
        for state in STATES {
            let labels = [("task", health.name), ("whose", whose), ("state", state)];
            let is = f64::from(u8::from(health.state.word() == state));
            meter.gauge("hearth_task_state", "1 at the state that a part is in", &labels, is);
        }
        let labels = [("task", health.name)];
        let help = "Starts of a part after a failure";
        meter.counter("hearth_task_restarts", help, &labels, health.restarts);
    }
}

/// What the listeners count.
fn connections(counters: &Counters, meter: &mut Meter) {
    let help = "Connections accepted";
    meter.counter("hearth_http_connections", help, &[], counters.accepted());
    let open = i32::try_from(counters.open()).unwrap_or(i32::MAX);
    meter.gauge("hearth_http_connections_open", "Connections open now", &[], f64::from(open));
    for (class, answers) in counters.answers().iter().enumerate().skip(1) {
        let word = format!("{class}xx");
        let labels = [("status", word.as_str())];
        meter.counter("hearth_http_answers", "Answers by class of status", &labels, *answers);
    }
    for (reason, times) in counters.refused() {
        let help = "Requests and connections refused, by reason";
        meter.counter("hearth_http_refused", help, &[("reason", reason)], times);
    }
}

fn write(meter: Meter) -> Result<String, Error> {
    let mut registry = Registry::default();
    registry.register_collector(Box::new(Sheet(meter)));
    let mut out = String::new();
    text::encode(&mut out, &registry)
        .map_err(|e| Error::broken("the metrics cannot be written").because(e))?;
    Ok(out)
}

#[derive(Debug)]
struct Sheet(Meter);

impl Collector for Sheet {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        for (name, family) in &self.0.families {
            encode(&mut encoder, name, family)?;
        }
        Ok(())
    }
}

fn encode(encoder: &mut DescriptorEncoder<'_>, name: &str, family: &Family) -> fmt::Result {
    let kind = match family.grows {
        Grows::Counter => MetricType::Counter,
        Grows::Gauge => MetricType::Gauge,
    };
    let mut metric = encoder.encode_descriptor(name, family.help, None, kind)?;
    for (labels, value) in &family.numbers {
        if labels.is_empty() {
            // With an empty set of labels the crate would write empty brackets.
            number(metric, family.grows, *value)?;
            break;
        }
        number(metric.encode_family(labels)?, family.grows, *value)?;
    }
    Ok(())
}

fn number(metric: MetricEncoder<'_>, grows: Grows, value: f64) -> fmt::Result {
    match grows {
        Grows::Counter => ConstCounter::new(value).encode(metric),
        Grows::Gauge => ConstGauge::new(value).encode(metric),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_escaped_and_counters_end_in_total() {
        let mut meter = Meter::default();
        meter.counter("hearth_x", "Ex", &[("a", "say \"hi\"\n")], 3);
        meter.counter("hearth_x", "Ex", &[("a", "b")], 4);
        meter.gauge("hearth_y_bytes", "Why", &[], 1.5);
        let want = "# HELP hearth_x Ex\n# TYPE hearth_x counter\n\
             hearth_x_total{a=\"say \\\"hi\\\"\\n\"} 3.0\nhearth_x_total{a=\"b\"} 4.0\n\
             # HELP hearth_y_bytes Why\n# TYPE hearth_y_bytes gauge\nhearth_y_bytes 1.5\n# EOF\n";
        assert_eq!(write(meter).unwrap(), want);
    }
}
