"""Trains the ear (src/aurora/analyse/ear.rs) on the tuning half of labelled tracks.

    train.py EAR.BIN STEPS FOLDER[=WEIGHT]...

Each FOLDER holds NAME.wav with NAME.beats and NAME.onsets, as tracks.py and songs.py write them; with a
weight of 2 it is heard twice as often as its share.

The weights that are shipped come from 4000 steps over 800 tracks, all through FluidSynth: the even ones of the
categories (weight 1), the tuning half of Freedoom's, Planet Blupi's and OpenMSX's music (2) and of MMA's styles
(1.5), and 364 arrangements of these and of 66 scores of music21's corpus (1). Another run gives other weights.
"""

import pathlib
import sys

import jax
import jax.numpy as jnp
import numpy as np
import optax
import soundfile
from score import is_in

BANDS, UNITS, OUTPUTS, LENGTH, BATCH = 23, 64, 3, 800, 16
EDGES = [20, 65, 108, 155, 205, 265, 335, 425, 535, 670, 840, 1060, 1340, 1680, 2120, 2670, 3360, 4230,
         5330, 6720, 8460, 10660, 13400, 16900]
GAMMA = 30.0
SCALE = np.log(1 + GAMMA)
# A beat shows in the hop after the one in which it is.
DELAY = 1
# How much each output counts: beat, downbeat, onset.
WORTH = jnp.array([1.0, 0.6, 0.4])
rng = np.random.default_rng(5)


def bank(rate):
    """The shares of the 512 bins in the bands, as bands.rs has them."""
    shares, bins = np.zeros((BANDS, 512)), np.arange(512)
    for band, (low, high) in enumerate(zip(EDGES, EDGES[1:])):
        low, high = low * 1024 / rate + 0.5, high * 1024 / rate + 0.5
        shares[band] = np.clip(np.minimum(bins + 1, high) - np.maximum(bins, low), 0, 1)
    return shares


def levels(path):
    """The levels of a file, as novelty.rs has them."""
    sound, rate = soundfile.read(path, dtype="float32", always_2d=True)
    hop, sound = rate // 100, sound.mean(axis=1)
    padded = np.concatenate([np.zeros(1024 - hop, np.float32), sound])
    frames = np.lib.stride_tricks.sliding_window_view(padded, 1024)[::hop][: len(sound) // hop]
    window = (1 - np.cos(2 * np.pi * (np.arange(1024) + 0.5) / 1024)) * 2 / 1024
    magnitudes = np.sqrt(np.abs(np.fft.rfft(frames * window)[:, :512]) ** 2 @ bank(rate).T)
    decay, peaks, loudest, out = np.exp(-1 / 800), np.zeros(BANDS), 0.0, []
    for now in magnitudes:
        loudest = max(now.max(), loudest * decay)
        peaks = np.maximum(np.maximum(now, peaks * decay), max(loudest * 0.003, 3e-5))
        out.append(np.log(1 + GAMMA * now / peaks) / SCALE)
    return np.array(out, np.float32)


def rises(level):
    """How far each band rose over its neighbourhood two hops before."""
    wide = np.pad(level, ((0, 0), (1, 1)), mode="edge")
    most = np.maximum(np.maximum(wide[:, :-2], wide[:, 2:]), level)
    rise = np.zeros_like(level)
    rise[2:] = np.maximum(level[2:] - most[:-2], 0)
    return rise


def read(path):
    """A file of labels as rows of numbers."""
    return np.array([[float(f) for f in line.split("\t")] for line in path.read_text().splitlines()])


class Track:
    def __init__(self, path, weight):
        self.name, self.level = path.stem, levels(path.with_suffix(".wav"))
        self.onsets, self.beats = read(path.with_suffix(".onsets")), read(path)
        if len(self.onsets) and len(self.beats):
            self.beats = self.beats[self.beats[:, 0] >= self.onsets[0, 0] - 0.05]
        self.weight = weight * (3.0 if self.is_none() else 1.0)

    def is_none(self):
        return self.name.startswith("none")

    def times(self):
        """Times of beats, downbeats and onsets."""
        beats = self.beats if len(self.beats) else np.zeros((0, 2))
        return [beats[:, 0], beats[beats[:, 1] == 1, 0], self.onsets.ravel()]


def target(times, begin, stretch):
    """What an output should say: 1 in a hop, half in its neighbours."""
    wanted = np.zeros(LENGTH, np.float32)
    hops = np.round((times * 100 - begin) / stretch).astype(int) + DELAY
    for shift, value in ((-1, 0.5), (1, 0.5), (0, 1.0)):
        at = hops + shift
        at = at[(at >= 0) & (at < LENGTH)]
        wanted[at] = np.maximum(wanted[at], value)
    return wanted


def disturbed(level, name, nones):
    """The same with noise, speech, other colours, missing bands or another pitch."""
    sound = (np.exp(level * SCALE) - 1) / GAMMA
    chance = rng.random
    if chance() < 0.3:
        sound = np.abs(sound + rng.standard_normal(sound.shape) * rng.uniform(0, 0.15) * np.exp(rng.normal(0, 0.7, BANDS)))
    if chance() < 0.25 and nones and not name.startswith("none"):
        other = nones[rng.integers(len(nones))].level
        begin = rng.integers(0, len(other) - LENGTH)
        mixed = (np.exp(other[begin : begin + LENGTH] * SCALE) - 1) / GAMMA * rng.uniform(0, 0.7)
        sound = np.hypot(sound, mixed)
    if chance() < 0.5:
        sound = sound * np.exp(rng.normal(0, 0.25, BANDS))
    if chance() < 0.2:
        low = rng.integers(0, BANDS)
        sound[:, low : low + rng.integers(1, 8)] *= rng.uniform(0, 0.3)
    if chance() < 0.15:
        sound[:, : rng.integers(1, 6)] *= 0.1
    if chance() < 0.15:
        sound[:, -rng.integers(3, 11) :] *= 0.1
    level = np.log(1 + GAMMA * np.minimum(sound, 1)) / SCALE
    shift = rng.integers(-2, 3) if chance() < 0.5 else 0
    return level[:, np.clip(np.arange(BANDS) - shift, 0, BANDS - 1)]


def sample(tracks, odds, nones):
    """Some seconds of one track, faster or slower, disturbed, with what to say of them."""
    track = tracks[rng.choice(len(tracks), p=odds)]
    stretch = float(np.exp(rng.uniform(-0.25, 0.25))) if rng.random() < 0.7 else 1.0
    if LENGTH * stretch + 4 > len(track.level) - 2:
        stretch = 1.0
    last = max(1, len(track.level) - int(LENGTH * stretch) - 5)
    begin = rng.integers(0, last) if rng.random() > 0.15 else 0
    at = begin + np.arange(LENGTH) * stretch
    part = (at % 1)[:, None]
    whole = at.astype(int)
    level = track.level[whole] * (1 - part) + track.level[np.minimum(whole + 1, len(track.level) - 1)] * part
    level = disturbed(level, track.name, nones)
    wanted = np.stack([target(times, begin, stretch) for times in track.times()], axis=1)
    return np.concatenate([level, rises(level)], axis=1).astype(np.float32), wanted


def begin():
    """Weights in the order of the file."""
    draw = lambda *shape: (rng.standard_normal(shape) / np.sqrt(shape[1])).astype(np.float32)
    zeros = lambda n: np.zeros(n, np.float32)
    return [draw(3 * UNITS, 2 * BANDS), zeros(3 * UNITS), draw(3 * UNITS, UNITS) * 0.8, zeros(3 * UNITS),
            draw(OUTPUTS, UNITS), np.array([-3, -4, -3], np.float32)]


def heard(weights, inputs):
    """The outputs before the logistic, for a batch."""
    from_inputs, bias, from_memory, memory_bias, outputs, output_bias = weights

    def hop(memory, x):
        h = memory @ from_memory.T + memory_bias
        reset = jax.nn.sigmoid(x[:, :UNITS] + h[:, :UNITS])
        keep = jax.nn.sigmoid(x[:, UNITS : 2 * UNITS] + h[:, UNITS : 2 * UNITS])
        candidate = jnp.tanh(x[:, 2 * UNITS :] + reset * h[:, 2 * UNITS :])
        memory = (1 - keep) * candidate + keep * memory
        return memory, memory

    x = jnp.einsum("bti,hi->tbh", inputs, from_inputs) + bias
    _, memories = jax.lax.scan(hop, jnp.zeros((inputs.shape[0], UNITS)), x, unroll=4)
    return jnp.einsum("tbh,oh->bto", memories, outputs) + output_bias


def loss(weights, inputs, wanted):
    # The first hops after a silent memory say little.
    counts = jnp.where(jnp.arange(LENGTH) < 80, 0.1, 1.0)[None, :, None]
    each = optax.sigmoid_binary_cross_entropy(heard(weights, inputs), wanted) * WORTH * counts
    return each.sum() / (counts.sum() * inputs.shape[0])


def main(out, steps, folders):
    tracks = []
    for folder, _, weight in (each.partition("=") for each in folders):
        paths = [p for p in sorted(pathlib.Path(folder).glob("*.beats")) if is_in(p.stem, "tune")]
        tracks += [Track(p, float(weight or 1)) for p in paths]
    tracks = [t for t in tracks if len(t.level) > 1500]
    nones = [t for t in tracks if t.is_none()]
    odds = np.array([t.weight * len(t.level) for t in tracks])
    odds /= odds.sum()
    rate = optax.cosine_decay_schedule(3.5e-3, steps)
    optimiser = optax.chain(optax.clip_by_global_norm(1.0), optax.adamw(rate, weight_decay=1e-4))
    weights = begin()
    state = optimiser.init(weights)

    @jax.jit
    def step(weights, state, inputs, wanted):
        value, slope = jax.value_and_grad(loss)(weights, inputs, wanted)
        updates, state = optimiser.update(slope, state, weights)
        return optax.apply_updates(weights, updates), state, value

    for number in range(steps):
        inputs, wanted = map(np.stack, zip(*[sample(tracks, odds, nones) for _ in range(BATCH)]))
        weights, state, value = step(weights, state, inputs, wanted)
        if number % 100 == 99:
            print(number + 1, f"{value:.4f}", flush=True)
    np.concatenate([np.asarray(w, "<f4").ravel() for w in weights]).tofile(out)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), sys.argv[3:])
