"""Other arrangements of MIDI files, so that the ear learns music and not instruments.

    arrange.py OUT COPIES MIDI...

Writes OUT/NAME-<n>.mid with other instruments, another key, tempo and kit, with or without drums, some
voices left out, the tempo wandering a little, and players who are not quite together. The numbers are
even, so that songs.py's tracks are all of the tuning half; give it no file that is held back.
"""

import pathlib
import random
import sys
import zlib

import mido

KITS = [0, 8, 16, 24, 25, 32, 40]
FAMILIES = [range(0, 8), range(8, 16), range(16, 24), range(24, 32), range(32, 40), range(40, 52),
            range(52, 64), range(64, 80), range(80, 96), range(104, 112)]


class Band:
    """The choices that one arrangement keeps to."""

    def __init__(self, seed, channels):
        self.dice = dice = random.Random(seed)
        self.speed = dice.uniform(0.75, 1.35)
        self.key = dice.randint(-5, 5)
        self.drums = dice.random() > 0.4
        self.late = dice.choice([0.0, 0.004, 0.008, 0.015])
        self.drift = dice.choice([0.0, 0.01, 0.03])
        voices = sorted(c for c in channels if c != 9)
        silent = [c for c in voices if len(voices) > 2 and dice.random() < 0.2]
        self.silent = set(silent if len(silent) < len(voices) else silent[1:])
        same = dice.random() < 0.2
        one = dice.choice(FAMILIES)
        self.program = {c: dice.choice(list(one if same else dice.choice(FAMILIES))) for c in voices}
        self.loud = {c: dice.uniform(0.6, 1.2) for c in range(16)}
        if not self.drums and 9 in channels and not voices:
            self.drums = True

    def plays(self, channel):
        return channel not in self.silent and (channel != 9 or self.drums)


def arranged(midi, seed):
    """The same music by another band."""
    merged = mido.merge_tracks(midi.tracks)
    notes = [m for m in merged if m.type == "note_on"]
    band = Band(seed, {m.channel for m in notes})
    out, tick, tempo, factor, events = mido.MidiFile(ticks_per_beat=midi.ticks_per_beat), 0, 500_000, 1.0, []
    late, next_turn = {}, 0
    for channel, program in band.program.items():
        events.append((0, 1, mido.Message("program_change", channel=channel, program=program)))
    events.append((0, 1, mido.Message("program_change", channel=9, program=band.dice.choice(KITS))))
    for message in merged:
        tick += message.time
        while next_turn <= tick:
            # the tempo wanders from bar to bar
            factor = min(1.1, max(0.9, factor * (1 + band.dice.gauss(0, band.drift))))
            now = int(tempo / band.speed * factor)
            events.append((next_turn, 0, mido.MetaMessage("set_tempo", tempo=min(now, 0xFFFFFF))))
            next_turn += 4 * midi.ticks_per_beat
        if message.type == "set_tempo":
            tempo = message.tempo
            now = int(tempo / band.speed * factor)
            events.append((tick, 0, mido.MetaMessage("set_tempo", tempo=min(now, 0xFFFFFF))))
        elif message.type == "time_signature":
            events.append((tick, 0, message))
        elif message.type in ("note_on", "note_off") and band.plays(message.channel):
            is_drum = message.channel == 9
            note = message.note if is_drum else message.note + band.key
            if not 0 <= note <= 127:
                continue
            voice = (message.channel, note)
            if message.type == "note_on" and message.velocity:
                shift = band.dice.gauss(0, band.late) * 1e6 / (tempo / band.speed) * midi.ticks_per_beat
                late[voice] = max(0, int(tick + shift)) - tick
                velocity = max(25, min(127, int(message.velocity * band.loud[message.channel])))
            else:
                velocity = 0
            at = tick + late.get(voice, 0)
            events.append((at, 2, mido.Message(message.type, channel=message.channel, note=note, velocity=velocity)))
    track, before = mido.MidiTrack(), 0
    for at, _, message in sorted(events, key=lambda event: event[:2]):
        track.append(message.copy(time=at - before))
        before = at
    track.append(mido.MetaMessage("end_of_track"))
    out.tracks.append(track)
    return out


def main(folder, copies, paths):
    for path in map(pathlib.Path, paths):
        name = path.stem.lower()
        for copy in range(copies):
            midi = arranged(mido.MidiFile(path, clip=True), zlib.crc32(name.encode()) + copy)
            midi.save(folder / f"{name}-{2 * copy}.mid")


if __name__ == "__main__":
    target = pathlib.Path(sys.argv[1])
    target.mkdir(parents=True, exist_ok=True)
    main(target, int(sys.argv[2]), sys.argv[3:])
