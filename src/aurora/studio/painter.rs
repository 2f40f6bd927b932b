//! Who paints for the lamps: the show, fed with what is heard or with the timeline that plays.

use crate::aurora::lamps::{self, Levels};
use crate::aurora::light::Light;
use crate::aurora::listen::Reader;
use crate::aurora::show::{Paint, Show};

/// Feeds the show with every frame that came since it was last asked, and lets it paint.
pub(super) struct Painter {
    pub(super) show: Show,
    pub(super) heard: Reader,
}

impl lamps::Paint for Painter {
    fn paint(&mut self, lamp: usize, seconds: f64, pixels: &mut [Light]) {
        while let Some(heard) = self.heard.next() {
            self.show.see(&heard.frame, heard.at);
        }
        self.show.paint(lamp, seconds, pixels);
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
