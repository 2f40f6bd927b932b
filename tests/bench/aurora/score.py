"""Scores of beats and onsets beside labels, by mir_eval.

    score.py LABELS LINES [tune|held|all]

LABELS holds NAME.beats and NAME.onsets (tracks.py and songs.py write them), LINES holds NAME.txt as
`hearth audio beats` prints them. Beats count within 70 ms from the fifth second on, onsets within 50 ms.
Tracks called `none-…` have no beat: of them the false beats a minute are counted.
"""

import collections
import pathlib
import sys
import warnings

import mir_eval
import numpy as np

WARM_UP = 5.0


def seconds(path):
    """The first column of a file of labels."""
    return np.array([float(line.split("\t")[0]) for line in path.read_text().splitlines()])


def told(path, *words):
    """The times of the lines of these kinds."""
    fields = (line.split("\t") for line in path.read_text().splitlines())
    return np.sort([float(f[0]) for f in fields if f[1] in words])


def is_in(name, half):
    """Whether a track is in this half: even numbers, and names of an even sum of letters, are for
    tuning."""
    number = name.rsplit("-", 1)[-1]
    even = (int(number) if number.isdigit() else sum(map(ord, name))) % 2 == 0
    return half == "all" or even == (half == "tune")


def main(labels, lines, half):
    rows, errors, onsets, false = collections.defaultdict(list), [], [], []
    for path in sorted(labels.glob("*.beats")):
        name, found = path.stem, lines / f"{path.stem}.txt"
        if not is_in(name, half) or not found.exists():
            continue
        beats = told(found, "beat", "downbeat")
        beats = beats[beats >= WARM_UP]
        kind = name.rsplit("-", 1)[0] if name[-1].isdigit() and "-" in name else "songs"
        if kind == "none":
            false.append(len(beats) * 60 / 35)
            continue
        true = seconds(path)
        true = true[true >= WARM_UP]
        _, cml, _, aml = mir_eval.beat.continuity(true, beats)
        rows[kind].append((mir_eval.beat.f_measure(true, beats), cml, aml))
        if len(beats) and len(true):
            apart = beats - true[np.argmin(np.abs(beats[:, None] - true), axis=1)]
            errors.extend(apart[np.abs(apart) <= 0.07])
        began = told(found, "onset")
        if len(began):
            score = mir_eval.onset.f_measure(seconds(path.with_suffix(".onsets")), began, window=0.05)
            onsets.append(score[0])
    print("kind       tracks     F  CMLt  AMLt")
    every = [row for kind in rows.values() for row in kind]
    for kind, values in [*rows.items(), ("all", every)]:
        print(f"{kind:10} {len(values):6} " + " ".join(f"{v:5.3f}" for v in np.mean(values, axis=0)))
    errors = np.array(errors)
    print(f"error: median {np.median(errors) * 1000:.1f} ms, {np.mean(np.abs(errors) <= 0.03):.0%} within 30 ms")
    if onsets:
        print(f"onsets: F {np.mean(onsets):.3f}")
    if false:
        print(f"none: {np.mean(false):.1f} false beats a minute")


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    main(pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]), sys.argv[3] if len(sys.argv) > 3 else "held")
