//! The ear: a small recurrent network that says, hop by hop, how much the sound is like the begin of
//! a beat, of a bar and of a note.
//!
//! It is one layer of gated recurrent units (Cho et al. 2014, section 2.3, with the reset gate behind
//! the product) with three logistic outputs. Its weights were trained on sound of our own making only,
//! by `tests/bench/aurora/train.py`, which says how; they are in `ear.bin` as 32-bit floats, low byte
//! first, in the order of the fields of [`Ear`].

use super::lanes::dot;
use super::novelty::BANDS;

/// Levels and rises of the bands.
pub(super) const INPUTS: usize = 2 * BANDS;
const UNITS: usize = 64;
const OUTPUTS: usize = 3;

static WEIGHTS: &[u8] = include_bytes!("ear.bin");

/// What the ear hears in a hop, each 0 to 1.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Heard {
    pub(super) beat: f32,
    pub(super) downbeat: f32,
    pub(super) onset: f32,
}

/// The network and its memory.
pub(super) struct Ear {
    /// Inputs to the three gates (reset, update, candidate), a row of inputs for each unit.
    from_inputs: Vec<f32>,
    input_bias: Vec<f32>,
    /// Memory to the three gates.
    from_memory: Vec<f32>,
    memory_bias: Vec<f32>,
    /// Memory to the outputs.
    outputs: Vec<f32>,
    output_bias: Vec<f32>,
    memory: [f32; UNITS],
}

/// Takes the next weights off the front of the file.
fn take(bytes: &mut &[u8], count: usize) -> Vec<f32> {
    let (now, rest) = bytes.split_at(4 * count);
    *bytes = rest;
    now.as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b)).collect()
}

impl Ear {
    pub(super) fn new() -> Ear {
        let bytes = &mut &*WEIGHTS;
        Ear {
            from_inputs: take(bytes, 3 * UNITS * INPUTS),
            input_bias: take(bytes, 3 * UNITS),
            from_memory: take(bytes, 3 * UNITS * UNITS),
            memory_bias: take(bytes, 3 * UNITS),
            outputs: take(bytes, OUTPUTS * UNITS),
            output_bias: take(bytes, OUTPUTS),
            memory: [0.0; UNITS],
        }
    }

    /// Hears one hop: the levels of the bands, then their rises.
    pub(super) fn step(&mut self, inputs: &[f32; INPUTS]) -> Heard {
        let (mut x, mut h) = ([0.0; 3 * UNITS], [0.0; 3 * UNITS]);
        apply(&self.from_inputs, &self.input_bias, inputs, &mut x);
        apply(&self.from_memory, &self.memory_bias, &self.memory, &mut h);
        for (i, memory) in self.memory.iter_mut().enumerate() {
            let reset = logistic(x[i] + h[i]);
            let keep = logistic(x[UNITS + i] + h[UNITS + i]);
            let candidate = (x[2 * UNITS + i] + reset * h[2 * UNITS + i]).tanh();
            *memory = (1.0 - keep) * candidate + keep * *memory;
        }
        let mut out = [0.0; OUTPUTS];
        apply(&self.outputs, &self.output_bias, &self.memory, &mut out);
        let [beat, downbeat, onset] = out.map(logistic);
        Heard { beat, downbeat, onset }
    }
}

/// A matrix, row by row, times a vector, and a bias.
fn apply(rows: &[f32], bias: &[f32], vector: &[f32], out: &mut [f32]) {
    for ((row, bias), out) in rows.chunks_exact(vector.len()).zip(bias).zip(out) {
        *out = bias + dot(row, vector);
    }
}

fn logistic(x: f32) -> f32 {
    1.0 / (1.0 + (-x).exp())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_of_weights_has_the_size_of_the_network() {
        let floats = 3 * UNITS * (INPUTS + UNITS + 2) + OUTPUTS * (UNITS + 1);
        assert_eq!(WEIGHTS.len(), 4 * floats);
        let ear = Ear::new();
        assert!(
            ear.from_inputs.iter().chain(&ear.outputs).all(|w| w.is_finite() && w.abs() < 100.0)
        );
    }

    #[test]
    fn a_regular_knock_is_heard_as_a_beat_and_the_time_between_is_not() {
        let mut ear = Ear::new();
        let (mut on, mut off) = (0.0f32, 0.0f32);
        for hop in 0..1000 {
            let mut inputs = [0.0; INPUTS];
            let since = hop % 50;
            // A knock in every band that dies away.
            inputs[..BANDS].fill(0.9f32.powi(since));
            inputs[BANDS..].fill(if since < 2 { 0.8 } else { 0.0 });
            let heard = ear.step(&inputs).beat;
            if hop > 500 {
                match since {
                    0..5 => on = on.max(heard),
                    10..45 => off = off.max(heard),
                    _ => {}
                }
            }
        }
        assert!(on > 0.3 && off < 0.1, "{on} {off}");
    }
}
