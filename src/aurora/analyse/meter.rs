//! Which beat of the bar it is, and how many there are: a forward filter over whole bars, one step a
//! beat (the upper level of Krebs, Böck and Widmer 2015, section 2, with the tempo left out).

/// The bars that are known, and how likely each is before anything was heard.
const METRES: [(usize, f32); 4] = [(4, 0.7), (3, 0.2), (5, 0.05), (7, 0.05)];
const PLACES: usize = 4 + 3 + 5 + 7;
/// Share that goes anywhere at each beat: somebody may leave a beat out.
const SLIP: f32 = 0.02;
/// A bar is told when the filter is at least so sure of the place in it, and no longer told below
/// the second figure.
const SURE: f32 = 0.7;
const UNSURE: f32 = 0.5;

/// A beat's place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InBar {
    /// 1 for the downbeat.
    pub beat: u8,
    /// Beats in a bar.
    pub of: u8,
}

/// The filter.
pub(super) struct Meter {
    places: [f32; PLACES],
    told: bool,
}

impl Meter {
    pub(super) fn new() -> Meter {
        Meter { places: prior(), told: false }
    }

    /// Takes how much a beat was like a downbeat (0 to 1) and tells its place, when that is clear.
    pub(super) fn beat(&mut self, like_downbeat: f32) -> Option<InBar> {
        let like = like_downbeat.clamp(0.05, 0.95);
        let (before, all) = (self.places, prior());
        let (mut begin, mut sum) = (0, 0.0);
        for (beats, _) in METRES {
            for k in 0..beats {
                let came = before[begin + (k + beats - 1) % beats];
                let seen = if k == 0 { like } else { 1.0 - like };
                let now = (came * (1.0 - SLIP) + all[begin + k] * SLIP) * seen;
                self.places[begin + k] = now;
                sum += now;
            }
            begin += beats;
        }
        self.places.iter_mut().for_each(|p| *p /= sum);
        let (place, sure) = self.best();
        self.told = sure > if self.told { UNSURE } else { SURE };
        self.told.then_some(place)
    }

    /// The place that the next beat will have, when that is clear.
    pub(super) fn next(&self) -> Option<InBar> {
        let (now, _) = self.best();
        self.told.then_some(InBar { beat: now.beat % now.of + 1, of: now.of })
    }

    fn best(&self) -> (InBar, f32) {
        let mut begin = 0;
        let mut best = (InBar { beat: 1, of: 4 }, 0.0);
        for (beats, _) in METRES {
            for k in 0..beats {
                if self.places[begin + k] > best.1 {
                    best = (InBar { beat: k as u8 + 1, of: beats as u8 }, self.places[begin + k]);
                }
            }
            begin += beats;
        }
        best
    }
}

/// The places of all beats of a piece, given how much each was like a downbeat: the likeliest path of
/// one metre, when it explains the piece clearly better than any path of another place in the bar.
pub(super) fn two_way(like: &[f32]) -> Vec<Option<InBar>> {
    // A slip costs what it costs the filter, so that a beat left out shifts the rest of the piece.
    let (slip, stay) = (SLIP.ln(), (1.0 - SLIP).ln());
    let mut best = (f32::MIN, Vec::new());
    for (beats, likely) in METRES {
        let mut scores = vec![(likely / beats as f32).ln(); beats];
        let mut from: Vec<Vec<usize>> = Vec::with_capacity(like.len());
        for like in like {
            let like = like.clamp(0.05, 0.95);
            let top = (0..beats).max_by(|a, b| scores[*a].total_cmp(&scores[*b])).unwrap_or(0);
            let (mut next, mut came) = (vec![0.0; beats], vec![0; beats]);
            for k in 0..beats {
                let before = (k + beats - 1) % beats;
                let straight = scores[before] + stay;
                let slipped = scores[top] + slip - (beats as f32).ln();
                came[k] = if straight >= slipped { before } else { top };
                let seen = if k == 0 { like } else { 1.0 - like };
                next[k] = straight.max(slipped) + seen.ln();
            }
            scores = next;
            from.push(came);
        }
        let mut at = (0..beats).max_by(|a, b| scores[*a].total_cmp(&scores[*b])).unwrap_or(0);
        if scores[at] > best.0 {
            let score = scores[at];
            let mut places = vec![None; like.len()];
            for k in (0..like.len()).rev() {
                places[k] = Some(InBar { beat: at as u8 + 1, of: beats as u8 });
                at = from[k][at];
            }
            best = (score, places);
        }
    }
    best.1
}

fn prior() -> [f32; PLACES] {
    let mut places = [0.0; PLACES];
    let mut begin = 0;
    for (beats, likely) in METRES {
        places[begin..begin + beats].fill(likely / beats as f32);
        begin += beats;
    }
    places
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_of_three_four_five_and_seven_are_found() {
        for of in [4, 3, 5, 7] {
            let mut meter = Meter::new();
            let told: Vec<_> =
                (0..60u8).map(|k| meter.beat(if k % of == 2 { 0.6 } else { 0.15 })).collect();
            for (k, place) in told.iter().enumerate().skip(40) {
                let beat = (k as u8 + of - 2) % of + 1;
                assert_eq!(*place, Some(InBar { beat, of }), "beat {k} of {of}");
            }
        }
    }

    #[test]
    fn a_whole_piece_is_counted_from_its_first_bar() {
        for of in [4, 3, 5, 7] {
            let like: Vec<f32> = (0..50).map(|k| if k % of == 1 { 0.6 } else { 0.15 }).collect();
            let places = two_way(&like);
            for (k, place) in places.iter().enumerate() {
                let beat = ((k + of - 1) % of + 1) as u8;
                assert_eq!(*place, Some(InBar { beat, of: of as u8 }), "beat {k} of {of}");
            }
        }
        assert!(two_way(&[]).is_empty());
    }

    #[test]
    fn without_any_sign_of_a_downbeat_nothing_is_told() {
        let mut meter = Meter::new();
        assert!((0..100).all(|_| meter.beat(0.25).is_none()));
    }

    #[test]
    fn a_beat_left_out_is_got_over_within_some_bars() {
        let mut meter = Meter::new();
        for k in 0..40 {
            meter.beat(if k % 4 == 0 { 0.6 } else { 0.15 });
        }
        let places: Vec<_> =
            (1..41).map(|k| meter.beat(if k % 4 == 0 { 0.6 } else { 0.15 })).collect();
        assert_eq!(places[39], Some(InBar { beat: 1, of: 4 }), "{places:?}");
    }
}
