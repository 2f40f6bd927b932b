"""The instruments of the labelled tracks: every sound is made here from sines and noise."""

import numpy as np
from scipy.signal import butter, lfilter

RATE = 44_100


def hertz(note):
    """The frequency of a MIDI note number."""
    return 440.0 * 2 ** ((note - 69) / 12)


def seconds(length):
    """The times of a sound of this length."""
    return np.arange(int(length * RATE)) / RATE


def band(sound, low, high):
    """What lies between two frequencies."""
    b, a = butter(2, [low / (RATE / 2), min(high, RATE / 2 - 100) / (RATE / 2)], btype="band")
    return lfilter(b, a, sound)


def attack(sound, length=0.003):
    """A short ramp, so that no sound begins with a click of its own."""
    n = min(len(sound), int(length * RATE))
    sound[:n] *= np.linspace(0, 1, n)
    return sound


def kick(rng, body=48.0):
    t = seconds(0.3)
    sweep = body * t + 110 / 38 * (1 - np.exp(-38 * t))
    return attack(np.sin(2 * np.pi * sweep) * np.exp(-11 * t), 0.001) + 0.15 * np.exp(-300 * t)


def snare(rng):
    t = seconds(0.22)
    noise = band(rng.standard_normal(len(t)), 900, 9000) * np.exp(-19 * t)
    return 0.7 * noise + 0.5 * np.sin(2 * np.pi * 190 * t) * np.exp(-26 * t)


def clap(rng):
    t = seconds(0.2)
    bursts = sum(np.exp(-90 * np.maximum(t - d, 0)) * (t >= d) for d in (0, 0.009, 0.018))
    return band(rng.standard_normal(len(t)), 800, 4500) * (0.4 * bursts + 0.4 * np.exp(-22 * t))


def hat(rng, decay=55.0):
    t = seconds(min(0.4, 6 / decay))
    return 0.45 * band(rng.standard_normal(len(t)), 6500, 16_000) * np.exp(-decay * t)


def ride(rng):
    t = seconds(0.5)
    ring = sum(np.sin(2 * np.pi * f * t + f) for f in (3170, 4423, 5731, 7219)) * 0.08
    return (ring + 0.2 * band(rng.standard_normal(len(t)), 5000, 14_000)) * np.exp(-8 * t)


def tom(rng, pitch=110.0):
    t = seconds(0.3)
    return attack(np.sin(2 * np.pi * (pitch * t + 1.2 * (1 - np.exp(-25 * t)))) * np.exp(-10 * t))


def block(rng, pitch=1800.0):
    t = seconds(0.06)
    return attack(np.sin(2 * np.pi * pitch * t) * np.exp(-70 * t), 0.0005)


def bass(note, length, bright=6):
    t = seconds(length)
    f = hertz(note)
    tone = sum(np.sin(2 * np.pi * f * k * t) / k for k in range(1, bright))
    return attack(0.5 * tone * np.exp(-1.8 * t) * np.clip((length - t) / 0.02, 0, 1), 0.005)


def pluck(note, length, decay=3.0, rise=0.003):
    t = seconds(length)
    f = hertz(note)
    tone = sum(np.sin(2 * np.pi * f * k * t) * np.exp(-decay * k * 0.6 * t) / k for k in range(1, 9))
    return attack(0.3 * tone * np.clip((length - t) / 0.02, 0, 1), rise)


def pad(notes, length, rise=0.06):
    t = seconds(length)
    sound = np.zeros(len(t))
    for note in notes:
        for cents in (-6, 5):
            f = hertz(note + cents / 100)
            sound += sum(np.sin(2 * np.pi * f * k * t) / k**1.4 for k in range(1, 7))
    return attack(0.06 * sound * np.clip((length - t) / 0.1, 0, 1), rise)


def formants(rng, length, pitch, vowel, glide=0.0, vibrato=0.0):
    """A sung or spoken vowel: a buzz through three resonances."""
    t = seconds(length)
    f = pitch * (1 + glide * t / max(length, 0.01)) * (1 + vibrato * np.sin(2 * np.pi * 5.3 * t))
    phase = np.cumsum(f) / RATE
    buzz = 2 * (phase % 1) - 1 + 0.03 * rng.standard_normal(len(t))
    sound = sum(band(buzz, c * 0.88, c * 1.12) * g for c, g in zip(vowel, (1.0, 0.6, 0.3)))
    shape = np.clip(t / 0.04, 0, 1) * np.clip((length - t) / 0.06, 0, 1)
    return sound * shape


VOWELS = [(730, 1090, 2440), (270, 2290, 3010), (300, 870, 2240), (530, 1840, 2480), (570, 840, 2410)]


def speech(rng, length, rate=4.5):
    """Somebody who talks: syllables of uneven length, hisses, pauses between sentences."""
    sound = np.zeros(int(length * RATE) + RATE)
    at, base = 0.2, rng.uniform(90, 220)
    while at < length - 1:
        for _ in range(rng.integers(4, 16)):
            long = rng.gamma(6, 1 / (6 * rate)) + 0.04
            level = rng.uniform(0.4, 1.0)
            if rng.random() < 0.45:
                hiss = band(rng.standard_normal(int(0.07 * RATE)), *((3000, 9000), (1500, 5000))[rng.integers(2)])
                put(sound, attack(hiss * np.linspace(1, 0, len(hiss)), 0.01) * 0.25 * level, at)
                at += rng.uniform(0.02, 0.07)
            voice = formants(rng, long, base * rng.uniform(0.85, 1.25), VOWELS[rng.integers(5)], rng.uniform(-0.15, 0.1))
            put(sound, voice * level, at)
            at += long * rng.uniform(0.8, 1.15)
            if at > length - 1:
                break
        at += rng.gamma(3, 0.2)
    return sound[: int(length * RATE)]


def put(track, sound, at, gain=1.0):
    """Adds a sound to a track."""
    i = int(at * RATE)
    n = min(len(sound), len(track) - i)
    if n > 0 and i >= 0:
        track[i : i + n] += gain * sound[:n]
