//! Who paints for the lamps: the show of what is heard, or the timeline that plays.

use crate::aurora::clock;
use crate::aurora::lamps::{self, Levels};
use crate::aurora::light::Light;
use crate::aurora::listen::Reader;
use crate::aurora::show::{Paint, Show};
use crate::aurora::timeline::Stage;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// Feeds the show with every frame that came since it was last asked, and lets it paint.
pub(super) struct Painter {
    show: Show,
    heard: Reader,
    stage: Option<Box<Stage>>,
    exchange: Arc<Exchange>,
}

/// How a timeline comes to the painter and back, whose thread neither waits nor frees memory.
#[derive(Default)]
pub(super) struct Exchange {
    slot: Mutex<Slot>,
    news: AtomicBool,
}

#[derive(Default)]
struct Slot {
    /// What is to be painted next: a timeline, or what is heard.
    next: Option<Option<Box<Stage>>>,
    /// What is painted no longer, to be freed by somebody else.
    spent: Option<Box<Stage>>,
}

impl Exchange {
    /// Lets this be painted from now on: a timeline, or what is heard.
    pub(super) fn put(&self, next: Option<Box<Stage>>) {
        let mut slot = self.slot.lock().unwrap_or_else(PoisonError::into_inner);
        let old = (slot.next.replace(next), slot.spent.take());
        self.news.store(true, Ordering::Release);
        drop(slot);
        drop(old);
    }
}

impl Painter {
    pub(super) fn new(show: Show, heard: Reader) -> (Painter, Arc<Exchange>) {
        let exchange = Arc::new(Exchange::default());
        (Painter { show, heard, stage: None, exchange: exchange.clone() }, exchange)
    }

    /// Takes over what is to be painted next. Who holds the slot does so for an instant; then the next
    /// turn will do.
    fn turn(&mut self) {
        if !self.exchange.news.load(Ordering::Acquire) {
            return;
        }
        let Ok(mut slot) = self.exchange.slot.try_lock() else { return };
        if slot.spent.is_some() {
            return;
        }
        self.exchange.news.store(false, Ordering::Relaxed);
        if let Some(next) = slot.next.take() {
            slot.spent = std::mem::replace(&mut self.stage, next);
        }
    }
}

impl Paint for Painter {
    fn paint(&mut self, lamp: usize, seconds: f64, pixels: &mut [Light]) {
        self.turn();
        while let Some(heard) = self.heard.next() {
            self.show.see(&heard.frame, heard.at);
        }
        match &mut self.stage {
            Some(stage) => stage.paint(lamp, seconds, pixels),
            None => self.show.paint(lamp, seconds, pixels),
        }
    }
}

/// Tells lamps that make pictures of sound themselves what is heard.
pub(super) struct Teller(pub(super) Reader);

impl lamps::Hear for Teller {
    fn hear(&mut self, levels: &mut Levels) -> bool {
        let mut is_new = false;
        while let Some(heard) = self.0.next() {
            levels.hear(&heard.frame);
            is_new = true;
        }
        is_new
    }
}

/// The clock of the thread of the lamps, which a new frame wakes.
pub(super) struct Wakeful(pub(super) Reader);

impl lamps::Clock for Wakeful {
    fn now(&self) -> u64 {
        clock::now_ns()
    }

    fn wait(&mut self, until: u64) -> bool {
        let came = self.0.wait(until);
        while self.0.next().is_some() {}
        came
    }
}
