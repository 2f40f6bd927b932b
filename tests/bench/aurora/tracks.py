"""A labelled set of short tracks in fourteen categories, the same bytes on every run.

    tracks.py OUT [FIRST END [STEP]]

Writes OUT/CATEGORY-N.wav (16 bit, mono), .beats (seconds, number in the bar) and .onsets (seconds).
Even numbers are for tuning, odd numbers are held back.
"""

import pathlib
import sys
import wave
import zlib

import numpy as np
import voices as v
from scipy.signal import fftconvolve
from voices import RATE

SECONDS = 40.0
CHORDS = [(0, 4, 7), (9, 12, 16), (5, 9, 12), (7, 11, 14), (2, 5, 9), (4, 7, 11)]


class Track:
    """Sound, beats and onsets, filled bar by bar."""

    def __init__(self, rng):
        self.rng, self.sound = rng, np.zeros(int(SECONDS * RATE))
        self.beats, self.onsets, self.at = [], [], float(rng.uniform(0, 0.6))
        self.loose = float(rng.choice([0.0, 0.003, 0.008]))
        self.key = int(rng.integers(-5, 6))

    def hit(self, sound, at, gain=1.0, heard=True):
        at = max(0.0, at + self.rng.normal(0, self.loose))
        v.put(self.sound, sound, at, gain * self.rng.uniform(0.85, 1.1))
        if heard and at < SECONDS:
            self.onsets.append(at)

    def bar(self, bpm, count, play, swing=0.5, drift=0.0):
        """One bar: `play` gets a function from beats to seconds."""
        starts, at = [], self.at
        for k in range(count):
            starts.append(at)
            at += 60 / (bpm * (1 + drift * k / count))
        starts.append(at)
        def when(beat):
            k = int(min(max(beat, 0), count - 1))
            part = beat - k
            part = part * 2 * swing if part <= 0.5 else swing + (part - 0.5) * 2 * (1 - swing)
            return starts[k] + part * (starts[k + 1] - starts[k])
        play(when)
        self.beats += [(s, k + 1) for k, s in enumerate(starts[:-1]) if s < SECONDS]
        self.at = at


def drums(track, when, rows):
    """Rows of (voice, positions in beats, gain)."""
    rng = track.rng
    for voice, places, gain in rows:
        for place in places:
            track.hit(voice(rng), when(place), gain, heard=gain > 0.15)


def harmony(track, when, count, chord, style):
    """Bass and chords over a bar."""
    key, rng = track.key, track.rng
    root = 36 + key + chord[0] % 12
    beat = when(1) - when(0) if count > 1 else 0.5
    notes = [60 + key + n for n in chord]
    if style == "eighths":
        for k in range(count * 2):
            track.hit(v.bass(root, beat * 0.45), when(k / 2), 0.5)
    elif style == "walk":
        for k in range(count):
            track.hit(v.bass(root + int(rng.choice([0, 4, 7, 9, 12])), beat * 0.9, 4), when(k), 0.6)
    elif style == "off":
        for k in range(count):
            track.hit(v.bass(root, beat * 0.4), when(k + 0.5), 0.6)
    elif style == "long":
        track.hit(v.bass(root, beat * count * 0.95), when(0), 0.6)
    if style != "walk":
        v.put(track.sound, v.pad(notes, beat * count), when(0), 0.7)
    else:
        for place in (1.5, 3.5) if count > 3 else (1.5,):
            for note in notes:
                track.hit(v.pluck(note, 0.25, 6), when(place), 0.3, heard=note == notes[0])


def straight(n, step=1.0, first=0.0):
    return [first + i * step for i in range(int((n - first) / step + 0.999))]


def rock_rows(rng, n=4):
    kicks = [0, 2] + list(rng.choice([1.5, 2.5, 3.5, 0.5], rng.integers(0, 3), replace=False))
    hats = straight(n, rng.choice([0.5, 0.5, 1.0, 0.25]))
    return [(v.kick, [k for k in kicks if k < n], 1.0), (v.snare, [1, 3][: n // 2], 0.8), (v.hat, hats, 0.35)]


def four_rows(rng, n=4):
    claps = [1, 3] if rng.random() < 0.8 else []
    return [(v.kick, straight(n), 1.0), (v.clap, claps, 0.6), (v.hat, straight(n, 1, 0.5), 0.5)] + (
        [(v.hat, straight(n, 0.25), 0.2)] if rng.random() < 0.5 else [])


SYNCOPATED = [
    ([0, 0.75, 2.5], [1, 3], straight(4, 0.25)),  # funk
    ([0, 1.75, 2.5], [1, 2.25, 3], straight(4, 0.5)),
    ([0, 0.75, 1.5, 2, 2.75, 3.5], [0.75, 1.5, 2.75, 3.5], straight(4, 1, 0.5)),  # dembow
    ([0, 2.5], [1, 3], straight(4, 0.5)),  # breakbeat, quick
    ([2], [2], straight(4, 1, 0.5)),  # one drop
    ([0, 1.5, 3], [1, 2.75], straight(4, 0.25)),
]


def music(track, kind, until=SECONDS, bpm=None, change=None):
    """Fills a track with bars of a kind up to `until`."""
    rng, index = track.rng, 0
    ranges = {"click": (60, 200), "four": (100, 165), "rock": (70, 180), "swing": (100, 220),
              "sync": (80, 118), "odd": (90, 170), "nodrums": (66, 150)}
    bpm = bpm or float(rng.uniform(*ranges[kind]))
    count = int(rng.choice([3, 5, 7, 2])) if kind == "odd" else 4
    chords = [CHORDS[i] for i in rng.permutation(6)[:4]]
    rows = rock_rows(rng) if kind == "rock" else four_rows(rng)
    which = int(rng.integers(len(SYNCOPATED)))
    bpm = bpm * 1.55 if kind == "sync" and which == 3 else bpm
    style = str(rng.choice(["eighths", "long", "off" if kind == "four" else "eighths"]))
    texture, swing = int(rng.integers(4)), float(rng.uniform(0.6, 0.68)) if kind == "swing" else 0.5
    while track.at < until:
        chord, drift = chords[index % 4], 0.0
        if change:
            bpm, drift = change(track.at)
        def play(when):
            if kind == "click":
                drums(track, when, [(lambda r: v.block(r, 2400), [0], 1.0), (lambda r: v.block(r, 1700), [1, 2, 3], 0.8)])
            elif kind == "swing":
                drums(track, when, [(v.ride, [0, 1, 1.5, 2, 3, 3.5], 0.8), (v.hat, [1, 3], 0.5),
                                    (v.kick, straight(4), 0.18), (v.snare, [s for s in (1.5, 2.5, 3.5) if rng.random() < 0.25], 0.3)])
                harmony(track, when, 4, chord, "walk")
            elif kind == "sync":
                kicks, snares, hats = SYNCOPATED[which]
                drums(track, when, [(v.kick, kicks, 1.0), (v.snare, snares, 0.8), (v.hat, hats, 0.3)])
                for place in kicks:
                    track.hit(v.bass(36 + track.key + chord[0] % 12, 0.25), when(place), 0.5)
                v.put(track.sound, v.pad([60 + track.key + n for n in chord], when(3.9) - when(0)), when(0), 0.6)
            elif kind == "odd":
                kicks = {3: [0], 5: [0, 3], 7: [0, 3, 5], 2: [0]}[count]
                snares = {3: [1, 2], 5: [2, 4], 7: [2, 4, 6], 2: [1]}[count]
                step = 1 / 3 if count == 2 else 0.5
                drums(track, when, [(v.kick, kicks, 1.0), (v.snare, snares, 0.6), (v.hat, straight(count, step), 0.35)])
                harmony(track, when, count, chord, "long")
            elif kind == "nodrums":
                no_drums(track, when, chord, texture)
            else:
                drums(track, when, rows)
                if index % 8 == 7 and kind == "rock":
                    drums(track, when, [(v.tom, [3, 3.25, 3.5, 3.75], 0.7)])
                harmony(track, when, 4, chord, style)
        track.bar(bpm, count, play, swing, drift)
        index += 1
    return bpm


def no_drums(track, when, chord, texture):
    """Chords and broken chords on a piano, a guitar or strings."""
    rng, notes = track.rng, [60 + track.key + n for n in chord]
    beat = when(1) - when(0)
    if texture == 0:
        for k in range(8):
            track.hit(v.pluck(notes[k % 3] + 12 * (k % 4 == 3), beat * 1.5, 2), when(k / 2), 0.8 if k % 2 == 0 else 0.55)
        track.hit(v.bass(notes[0] - 24, beat * 3.8), when(0), 0.4)
    elif texture == 1:
        for k in range(4):
            for note in notes:
                track.hit(v.pluck(note, beat * 0.95, 2.5), when(k), 0.5, heard=note == notes[0])
        track.hit(v.bass(notes[0] - 24, beat * 1.9), when(0), 0.5)
        track.hit(v.bass(notes[2] - 24, beat * 1.9), when(2), 0.5)
    elif texture == 2:
        for k in range(4):
            track.onsets.append(when(k))
            v.put(track.sound, v.pad(notes if k % 2 == 0 else [n + 5 for n in notes], beat * 0.97, 0.025), when(k), 1.2)
    else:
        for place in [0, 1, 1.5, 2.5, 3]:
            for i, note in enumerate(notes):
                track.hit(v.pluck(note - 5, beat * 0.7, 4), when(place) + 0.008 * i, 0.5, heard=i == 0)


def singer(track, bpm):
    """A voice whose notes begin where they like."""
    rng, at = track.rng, 1.0
    while at < SECONDS - 2:
        long = 60 / bpm * float(rng.choice([0.5, 1, 1.5, 2]))
        note = 57 + track.key + int(rng.choice([0, 2, 4, 7, 9, 12]))
        v.put(track.sound, v.formants(rng, long, v.hertz(note), v.VOWELS[rng.integers(5)], 0, 0.012), at + rng.normal(0, 0.05), 1.6)
        at += long * float(rng.choice([1, 1, 1, 2]))


def nothing(rng, index):
    """Sound without a beat."""
    n, white = int(SECONDS * RATE), rng.standard_normal(int(SECONDS * RATE))
    index %= 9
    if index in (0, 1, 5, 8):
        return v.speech(rng, SECONDS, [4.5, 5.5, 0, 0, 0, 3.8, 0, 0, 6.0][index])
    if index == 2:
        return 0.1 * white
    if index == 3:
        return sum(v.speech(rng, SECONDS, r) for r in (4, 5, 6)) * 0.5 + 0.01 * white
    if index == 4:
        return 1e-5 * white
    if index == 6:  # rain and drops at random
        drops = np.where(rng.random(n) < 60 / RATE, rng.exponential(1.0, n), 0)
        return v.band(0.05 * white + fftconvolve(drops, np.exp(-np.arange(900) / 150))[:n], 500, 9000)
    if index == 7:  # wind: noise that swells
        swell = np.interp(np.arange(n), np.linspace(0, n, 30), rng.uniform(0.1, 1, 30))
        return v.band(white, 80, 700) * swell
    claps = np.zeros(n)  # applause
    for _ in range(4000):
        v.put(claps, v.clap(rng), rng.uniform(0, SECONDS - 1), rng.uniform(0.02, 0.1))
    return claps


def make(kind, index):
    """The sound, beats and onsets of one track."""
    rng = np.random.default_rng(zlib.crc32(f"{kind}-{index}".encode()))
    track = Track(rng)
    over = str(rng.choice(["rock", "four", "rock", "sync"]))
    if kind == "none":
        return nothing(rng, index), [], []
    if kind == "tempo":
        low, high = float(rng.uniform(85, 120)), float(rng.uniform(1.12, 1.35))
        high = low * high if index % 3 else low / high
        slope = [lambda t: (low + (high - low) * np.clip((t - 10) / 20, 0, 1), 0),
                 lambda t: (low if t < 19 else high, 0)][index % 2]
        music(track, "rock" if index % 4 < 2 else "four", change=slope)
    elif kind == "gaps":
        while track.at < SECONDS:
            begin = track.at
            music(track, over, min(SECONDS, begin + float(rng.uniform(8, 12))))
            silent = float(rng.uniform(2, 4))
            cut = int(track.at * RATE)
            track.sound[cut:] = 0
            track.at += silent
    elif kind in ("vocals", "noise", "room", "level"):
        bpm = music(track, over)
        if kind == "vocals":
            singer(track, bpm)
        elif kind == "noise":
            power = np.sqrt(np.mean(track.sound**2)) * 10 ** (-float(rng.uniform(0, 10)) / 20)
            hiss = rng.standard_normal(len(track.sound))
            hiss = v.band(hiss, 60, 1500) * 2.5 if index % 2 else hiss
            track.sound += power * hiss
        elif kind == "room":
            t = v.seconds(float(rng.uniform(0.6, 1.4)))
            tail = rng.standard_normal(len(t)) * np.exp(-6.9 * t / t[-1])
            wet = fftconvolve(track.sound, tail / np.sqrt(np.sum(tail**2)))[: len(track.sound)]
            track.sound = 0.35 * track.sound + 0.65 * wet
        else:
            levels(track, index)
    else:
        music(track, kind)
    return track.sound, track.beats, track.onsets


def levels(track, index):
    t = np.arange(len(track.sound)) / RATE
    peak = np.max(np.abs(track.sound))
    if index % 4 == 0:
        track.sound *= np.where(t < 20, 1, 0.03)
    elif index % 4 == 1:
        track.sound = np.clip(track.sound / peak * 5, -1, 1)
    elif index % 4 == 2:
        track.sound *= 10 ** (-1.5 * (0.5 - 0.5 * np.cos(t / 40 * 4 * np.pi)))
    else:
        track.sound *= np.where((t > 15) & (t < 25), 1, 0.06)


KINDS = ["click", "four", "rock", "swing", "sync", "odd", "nodrums", "tempo", "vocals", "noise",
         "room", "level", "gaps", "none"]


def write(out, kind, index):
    """Writes the three files of one track."""
    sound, beats, onsets = make(kind, index)
    peak = np.max(np.abs(sound))
    quiet = kind == "level" or (kind == "none" and index == 4)
    sound = sound / peak * 0.8 if peak > 0 and not quiet else np.clip(sound, -1, 1)
    # The dither of a 16-bit file, so that silence is not digital zero throughout.
    data = np.round(sound * 32_000 + np.random.default_rng(1).uniform(-0.5, 0.5, len(sound))).astype("<i2")
    with wave.open(str(out / f"{kind}-{index}.wav"), "wb") as file:
        file.setparams((1, 2, RATE, 0, "NONE", ""))
        file.writeframes(data.tobytes())
    (out / f"{kind}-{index}.beats").write_text("".join(f"{s:.4f}\t{n}\n" for s, n in beats))
    heard = [s for i, s in enumerate(sorted(onsets)) if i == 0 or s - sorted(onsets)[i - 1] > 0.03]
    (out / f"{kind}-{index}.onsets").write_text("".join(f"{s:.4f}\n" for s in heard))


if __name__ == "__main__":
    folder = pathlib.Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for each in KINDS:
        first, last = (int(n) for n in (sys.argv[2:4] or ("0", "8")))
        for number in range(first, last, int(sys.argv[4]) if len(sys.argv) > 4 else 1):
            write(folder, each, number)
