//! Why are my lights late? Reads counters, the table of latencies and what WLEDs say, and answers in
//! sentences. Pure.

use super::config::{Kind, Lamp};
use super::latency::Source;
use super::play::LampReport;
use super::wled::Info;
use serde::Serialize;

/// Share of ticks or packets from which on it is worth a sentence.
const SHARE: f64 = 0.01;
/// Share of packets that stay behind when nobody is there.
const GONE: f64 = 0.5;
/// A lamp whose delay varies by more (ms) cannot be on the beat.
const UNSTEADY: f64 = 40.0;
/// A lamp slower than this (ms) is told of beats before they are sure.
const SLOW: f64 = 500.0;
/// A set latency further than this (ms) from the measured one is worth a sentence.
const APART: f64 = 40.0;
/// Wi-Fi of this quality or less loses packets.
const WEAK: u8 = 40;

/// Everything that is known.
#[derive(Clone, Copy, Debug)]
pub struct Case<'a> {
    /// The lamps as they are configured.
    pub lamps: &'a [Lamp],
    /// How they do, in the same order; empty while no show is playing.
    pub reports: &'a [LampReport],
    /// What those that are WLEDs say of themselves, in the same order; may be shorter.
    pub infos: &'a [Option<Info>],
    /// Whether the show thread runs ahead of ordinary ones.
    pub is_ahead: bool,
    /// The lead that is set (ms).
    pub lead_ms: u32,
}

/// One reason, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Which lamp; `None` when it concerns all.
    pub lamp: Option<String>,
    /// What is so.
    pub what: String,
    /// What to do.
    pub advice: String,
}

/// Returns the reasons, the gravest of each lamp first. None: nothing of what is looked at is wrong.
pub fn diagnose(case: Case<'_>) -> Vec<Finding> {
    let mut all = Vec::new();
    house(&case, &mut |what, advice| {
        all.push(Finding { lamp: None, what, advice: advice.to_owned() });
    });
    for (n, lamp) in case.lamps.iter().enumerate() {
        let mut add = |what: String, advice: &str| {
            let advice = advice.to_owned();
            all.push(Finding { lamp: Some(lamp.name.clone()), what, advice });
        };
        let report = case.reports.get(n);
        if let Some(report) = report {
            sending(report, &mut add);
            waiting(report, lamp, &mut add);
        }
        if let Some(info) = case.infos.get(n).and_then(Option::as_ref) {
            said(lamp, report, info, &mut add);
        }
    }
    all
}

type Add<'a> = &'a mut dyn FnMut(String, &str);

/// What concerns all lamps.
fn house(case: &Case<'_>, add: Add<'_>) {
    let most = case.reports.iter().map(|report| &report.counts).max_by_key(|c| c.late + c.missed);
    if let Some(counts) = most
        && counts.ticks > 0
        && share(counts.late + counts.missed, counts.ticks + counts.missed) > SHARE
    {
        let what = format!(
            "Hearth itself was late: {} of {} pictures were made more than 5 ms after their time or not \
             at all (99 of 100 within {:.1} ms)",
            counts.late + counts.missed,
            counts.ticks + counts.missed,
            counts.p99_us as f64 / 1000.0
        );
        let advice = match case.is_ahead {
            true => {
                "the machine is too busy or too slow for this many lights; use fewer or a lower rate"
            }
            false => {
                "let Hearth's threads run first: give it CAP_SYS_NICE, or LimitRTPRIO=20 in its \
                 systemd service"
            }
        };
        add(what, advice);
    }
    if case.lead_ms > 100 {
        let what =
            format!("light is {} ms ahead of the sound because lead_ms says so", case.lead_ms);
        add(what, "set lead_ms to 30 when lights seem early");
    }
}

/// Whether packets leave.
fn sending(report: &LampReport, add: Add<'_>) {
    let counts = &report.counts;
    if let Some(why) = &report.away {
        add(
            format!("nothing can be sent to it: {why}"),
            "check that it is switched on, and its address",
        );
        return;
    }
    if counts.errors_in_a_row > 2 {
        let (what, advice) = match counts.last_error {
            nix::libc::ECONNREFUSED => (
                "its host answers that nobody listens at this port",
                "check kind and port; at a WLED switch realtime reception on (Config, Sync)",
            ),
            nix::libc::EHOSTUNREACH | nix::libc::ENETUNREACH => (
                "no way leads to its address",
                "check that it is switched on and in the same network",
            ),
            nix::libc::EDESTADDRREQ => {
                ("its name has no address", "check that it is switched on, or use its IP address")
            }
            _ => ("the system refuses to send to it", "look at the network of this machine"),
        };
        let many = counts.errors_in_a_row;
        add(format!("{what}; the last {many} packets failed"), advice);
    }
    let all = counts.packets + counts.dropped;
    let dropped = share(counts.dropped, all);
    if dropped > GONE {
        let what = format!(
            "{} of {all} packets never left this machine: nobody answers for its address, or the network \
             stands still",
            counts.dropped
        );
        add(what, "check that it is switched on, and its address");
    } else if dropped > SHARE {
        let what = format!(
            "{} of {all} packets were thrown away because this machine could not send them at once",
            counts.dropped
        );
        add(what, "use a cable for this machine, a lower rate, or fewer lights");
    }
    if share(counts.stale, counts.ticks) > SHARE {
        let what =
            format!("{} pictures took so long to paint that they were thrown away", counts.stale);
        add(what, "use a simpler effect or fewer lights");
    }
}

/// Whether it is sent to early enough.
fn waiting(report: &LampReport, lamp: &Lamp, add: Add<'_>) {
    if lamp.kind == Kind::WledSync {
        return;
    }
    let row = report.latency;
    if row.source == Source::Usual {
        let what = format!(
            "nobody has measured how long it takes; {:.0} ms are assumed, as is usual for {}",
            row.ms,
            lamp.kind.word()
        );
        add(what, "do the tap test for it");
    }
    if let Some(measured) = row.measured {
        if row.source == Source::Set && (measured.ms - row.ms).abs() > APART {
            let what = format!(
                "latency_ms says {:.0} ms, but {:.0} ms were measured",
                row.ms, measured.ms
            );
            add(what, "take latency_ms out of its configuration, or do the tap test again");
        }
        if measured.spread_ms > UNSTEADY {
            let what = format!(
                "its delay varies: half of the measurements are spread over {:.0} ms, which no earlier \
                 sending makes up for",
                measured.spread_ms
            );
            add(
                what,
                "bring it nearer to its access point, or use a cable; for Zigbee, fewer commands",
            );
        }
    }
    if row.ms > SLOW {
        let what =
            format!("it takes {:.0} ms; beats are not foretold that far with certainty", row.ms);
        add(what, "use effects that fade rather than flash for it");
    }
}

/// What a WLED says of itself.
fn said(lamp: &Lamp, report: Option<&LampReport>, info: &Info, add: Add<'_>) {
    let sends = report.is_some_and(|r| r.counts.packets > 100 && r.counts.errors_in_a_row == 0);
    if sends && !info.is_live && lamp.kind != Kind::WledSync {
        add(
            "it is sent pictures but shows none of them".into(),
            "in WLED under Config, Sync, switch on 'Receive UDP realtime', and look for a firewall in \
             between",
        );
    }
    if lamp.kind == Kind::Wled && info.udp_port != super::plan::udp_port(lamp) {
        let what = format!("it listens at UDP port {}", info.udp_port);
        add(what, "put that port behind its address, or set it back to 21324 in WLED");
    }
    if u32::from(lamp.pixels) + u32::from(lamp.start) > info.lights {
        let what = format!("it has {} lights, fewer than are painted", info.lights);
        add(what, "set pixels to that");
    }
    if info.signal.is_some_and(|signal| signal <= WEAK) {
        let what = format!("its Wi-Fi is weak ({} of 100)", info.signal.unwrap_or_default());
        add(what, "bring it nearer to its access point");
    }
    if info.frames.is_some_and(|frames| frames < 25 && info.is_live) {
        let what = format!("it shows only {} pictures a second", info.frames.unwrap_or_default());
        add(what, "fewer lights on one of its outputs make it quicker");
    }
}

fn share(part: u64, whole: u64) -> f64 {
    part as f64 / whole.max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aurora::lamps::{Counts, Measured, Row};

    fn report(change: impl FnOnce(&mut LampReport)) -> LampReport {
        let measured = Measured { ms: 30.0, spread_ms: 3.0, samples: 11, at: 0 };
        let latency = Row { ms: 30.0, source: Source::Acknowledged, measured: Some(measured) };
        let counts = Counts { ticks: 1000, packets: 1000, pictures: 1000, ..Counts::default() };
        let mut report =
            LampReport { name: "shelf".into(), kind: Kind::Wled, latency, away: None, counts };
        change(&mut report);
        report
    }

    fn lamp() -> Lamp {
        let (name, address) = ("shelf".into(), "10.0.0.9".into());
        Lamp { name, address, pixels: 30, ..Lamp::default() }
    }

    fn info() -> Info {
        Info { lights: 30, is_live: true, signal: Some(80), udp_port: 21_324, ..Info::default() }
    }

    fn findings(change: impl FnOnce(&mut LampReport), info: Info) -> Vec<Finding> {
        let (lamps, reports, infos) = ([lamp()], [report(change)], [Some(info)]);
        let case =
            Case { lamps: &lamps, reports: &reports, infos: &infos, is_ahead: false, lead_ms: 30 };
        diagnose(case)
    }

    #[test]
    fn a_healthy_lamp_gives_no_reason() {
        assert_eq!(findings(|_| {}, info()), []);
        let idle =
            Case { lamps: &[lamp()], reports: &[], infos: &[], is_ahead: false, lead_ms: 30 };
        assert_eq!(diagnose(idle), []);
    }

    #[test]
    fn each_fault_is_the_one_reason_with_its_advice() {
        let check = |change: fn(&mut LampReport), what: &str, advice: &str| {
            let all = findings(change, info());
            assert_eq!(all.len(), 1, "{what}: {all:?}");
            assert!(all[0].what.contains(what) && all[0].advice.contains(advice), "{all:?}");
        };
        check(|r| r.away = Some("no such name".into()), "no such name", "switched on");
        check(
            |r| (r.counts.errors_in_a_row, r.counts.last_error) = (50, 111),
            "nobody listens at this port",
            "realtime",
        );
        check(
            |r| (r.counts.errors_in_a_row, r.counts.last_error) = (50, 113),
            "no way leads",
            "same network",
        );
        check(|r| r.counts.dropped = 300, "300 of 1300 packets", "cable");
        check(|r| r.counts.dropped = 3000, "3000 of 4000 packets never left", "switched on");
        check(|r| r.counts.stale = 50, "50 pictures took so long", "simpler");
        check(|r| r.counts.late = 90, "Hearth itself was late: 90 of 1000", "CAP_SYS_NICE");
        check(
            |r| (r.latency.source, r.latency.measured) = (Source::Usual, None),
            "nobody has measured",
            "tap test",
        );
        check(
            |r| (r.latency.ms, r.latency.source) = (120.0, Source::Set),
            "latency_ms says 120 ms, but 30 ms",
            "take latency_ms out",
        );
        check(
            |r| {
                r.latency.measured =
                    Some(Measured { ms: 30.0, spread_ms: 90.0, samples: 11, at: 0 });
            },
            "spread over 90 ms",
            "access point",
        );
        check(|r| r.latency.ms = 700.0, "takes 700 ms", "fade");
    }

    #[test]
    fn what_a_wled_says_is_a_reason_too() {
        let check = |info: Info, what: &str| {
            let all = findings(|_| {}, info);
            assert_eq!(all.len(), 1, "{what}: {all:?}");
            assert!(all[0].what.contains(what), "{all:?}");
        };
        check(Info { is_live: false, ..info() }, "shows none of them");
        check(Info { udp_port: 999, ..info() }, "UDP port 999");
        check(Info { lights: 20, ..info() }, "has 20 lights");
        check(Info { signal: Some(30), ..info() }, "weak (30 of 100)");
        check(Info { frames: Some(12), ..info() }, "only 12 pictures");
    }

    #[test]
    fn a_large_lead_and_a_busy_machine_concern_all_lamps() {
        let late = report(|r| (r.counts.late, r.counts.missed) = (10, 500));
        let case =
            Case { lamps: &[lamp()], reports: &[late], infos: &[], is_ahead: true, lead_ms: 200 };
        let all = diagnose(case);
        assert_eq!(all.len(), 2, "{all:?}");
        assert!(all.iter().all(|finding| finding.lamp.is_none()));
        assert!(all[0].what.contains("510 of 1500") && all[0].advice.contains("too busy"));
        assert!(all[1].what.contains("200 ms ahead"));
    }
}
