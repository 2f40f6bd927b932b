//! The stage: a show that plays a timeline. It belongs to the thread that paints; a [`Deck`] starts,
//! stops and moves it from outside.

use super::{Player, Timeline};
use crate::aurora::light::Light;
use crate::aurora::moment::Moment;
use crate::aurora::show::{Paint, Show};
use std::sync::{Arc, Mutex, PoisonError};

/// What was heard is told to the show so many times a second of music.
const RATE: f64 = 50.0;
/// After a jump the show is told what came so many seconds before.
const BEFORE: f64 = 2.0;
/// A lamp that has not been painted for so long (s) is waited for no more.
const GONE: f64 = 2.0;

/// Plays a timeline as a show.
#[derive(Debug)]
pub struct Stage {
    show: Show,
    timeline: Arc<Timeline>,
    player: Player,
    shared: Arc<Mutex<Player>>,
    /// For each lamp the time it was last painted for.
    painted: Vec<f64>,
    /// The last moment that was told, on the timeline unrolled; none at the beginning.
    told: Option<f64>,
}

/// Moves a stage. A cheap clone.
#[derive(Clone, Debug)]
pub struct Deck {
    shared: Arc<Mutex<Player>>,
}

impl Deck {
    /// Changes the player: `deck.change(|player| player.pause(now))`.
    pub fn change<T>(&self, change: impl FnOnce(&mut Player) -> T) -> T {
        change(&mut self.shared.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Whether both move one stage.
    pub fn moves_same(&self, other: &Deck) -> bool {
        Arc::ptr_eq(&self.shared, &other.shared)
    }

    /// The player as it is now.
    pub fn player(&self) -> Player {
        self.change(|player| *player)
    }
}

impl Stage {
    /// A stage for `lamps` lamps, stopped, and the deck that moves it.
    pub fn new(show: Show, timeline: Arc<Timeline>, lamps: usize) -> (Stage, Deck) {
        let player = Player::new(timeline.seconds);
        let shared = Arc::new(Mutex::new(player));
        let painted = vec![f64::MIN; lamps];
        let deck = Deck { shared: shared.clone() };
        (Stage { show, timeline, player, shared, painted, told: None }, deck)
    }

    /// The moment at a time of the clock, and that time on the timeline unrolled: a loop goes on where
    /// it ended. Silence while nothing plays.
    fn moment(&self, seconds: f64) -> Moment {
        let Some(spot) = self.player.spot(seconds) else {
            return Moment { seconds, ..Moment::default() };
        };
        let mut moment = self.timeline.moment(spot.position);
        moment.seconds = spot.position + spot.rounds * spot.round;
        if let Some(place) = &mut moment.beat {
            let beats = self.timeline.beats();
            let until = |at: f64| beats.partition_point(|beat| f64::from(beat.ms) < at * 1000.0);
            let each = until(spot.begin + spot.round) - until(spot.begin);
            place.count += spot.rounds as u64 * each as u64;
        }
        moment
    }

    /// Tells the show everything up to what all lamps are painted for.
    fn tell(&mut self, seconds: f64) {
        let all = self.painted.iter().copied().filter(|last| *last > seconds - GONE);
        let upto = all.fold(seconds, f64::min);
        let now = self.moment(upto);
        let mut at = match self.told {
            Some(told) if (0.0..1.0).contains(&(now.seconds - told)) => told,
            // A jump, or the beginning.
            _ => now.seconds - BEFORE,
        };
        // The moments before are those before it on the clock; a pause has none.
        while at + 1.0 / RATE <= now.seconds {
            at += 1.0 / RATE;
            let moment = self.moment(upto - (now.seconds - at));
            self.show.hear(&Moment { seconds: at, ..moment });
        }
        self.told = Some(at);
    }
}

impl Paint for Stage {
    fn paint(&mut self, lamp: usize, seconds: f64, pixels: &mut [Light]) {
        // Whoever moves it holds the lock for an instant; then the next turn will do.
        if let Ok(player) = self.shared.try_lock() {
            self.player = *player;
        }
        if let Some(last) = self.painted.get_mut(lamp) {
            *last = seconds;
        }
        self.tell(seconds);
        let moment = self.moment(seconds);
        self.show.paint_moment(lamp, seconds, &moment, pixels);
    }
}
