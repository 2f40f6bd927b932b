"""Compositions with known beats: MIDI files rendered by FluidSynth, beats from their tempo maps.

    songs.py OUT SOUNDFONT MIDI...

Writes OUT/NAME.wav, OUT/NAME.beats (seconds and the beat's number in its bar, tab-separated) and
OUT/NAME.onsets (seconds).
"""

import pathlib
import subprocess
import sys
import tempfile

import mido

SECONDS = 60.0


def tempo_map(midi):
    """Changes of tempo and metre as (tick, microseconds per quarter, beats per bar, beat in ticks)."""
    tempo, above, unit = 500_000, 4, midi.ticks_per_beat
    changes, tick = [], 0
    for message in mido.merge_tracks(midi.tracks):
        tick += message.time
        if message.type == "set_tempo":
            tempo = message.tempo
        elif message.type == "time_signature":
            above, unit = message.numerator, midi.ticks_per_beat * 4 // message.denominator
            # Compound time is felt in groups of three.
            if message.denominator == 8 and above % 3 == 0:
                above, unit = above // 3, unit * 3
        else:
            continue
        changes.append((tick, tempo, above, unit))
    return changes


def first_note(midi):
    """The tick of the first note."""
    tick = 0
    for message in mido.merge_tracks(midi.tracks):
        tick += message.time
        if message.type == "note_on" and message.velocity:
            return tick
    return None


def last_note(midi):
    """The tick of the last note that begins."""
    tick = last = 0
    for message in mido.merge_tracks(midi.tracks):
        tick += message.time
        if message.type == "note_on" and message.velocity:
            last = tick
    return last


def beats(midi, until):
    """Pairs of seconds and the beat's number in its bar, up to `until` seconds."""
    changes, found = tempo_map(midi), []
    tempo, above, unit = 500_000, 4, midi.ticks_per_beat
    seconds, tick, in_bar, last = 0.0, 0, 0, last_note(midi)
    while seconds < until and tick <= last:
        found.append((seconds, in_bar + 1))
        goal = tick + unit
        while changes and changes[0][0] < goal:
            at, new, new_above, new_unit = changes.pop(0)
            at = max(at, tick)
            seconds += mido.tick2second(at - tick, midi.ticks_per_beat, tempo)
            if (new_above, new_unit) != (above, unit):
                in_bar = -1
                goal = at + new_unit if at > tick else tick + new_unit
            tick, tempo, above, unit = at, new, new_above, new_unit
        seconds += mido.tick2second(goal - tick, midi.ticks_per_beat, tempo)
        tick, in_bar = goal, (in_bar + 1) % above
    return found


def onsets(midi, until):
    """The seconds at which notes begin, those within 30 ms of the last one left out."""
    seconds, tempo, found = 0.0, 500_000, []
    for message in mido.merge_tracks(midi.tracks):
        seconds += mido.tick2second(message.time, midi.ticks_per_beat, tempo)
        if message.type == "set_tempo":
            tempo = message.tempo
        elif message.type == "note_on" and message.velocity > 20 and seconds < until:
            if not found or seconds - found[-1] > 0.03:
                found.append(seconds)
    return found


def cut(midi, until):
    """The same file without what comes after `until` seconds."""
    short = mido.MidiFile(ticks_per_beat=midi.ticks_per_beat, type=1)
    track, seconds = mido.MidiTrack(), 0.0
    tempo = 500_000
    for message in mido.merge_tracks(midi.tracks):
        seconds += mido.tick2second(message.time, midi.ticks_per_beat, tempo)
        if seconds > until:
            break
        if message.type == "set_tempo":
            tempo = message.tempo
        track.append(message)
    # FluidSynth goes on for as long as a note sounds.
    for channel in range(16):
        track.append(mido.Message("control_change", channel=channel, control=120, value=0))
    track.append(mido.MetaMessage("end_of_track"))
    short.tracks.append(track)
    return short


def render(path, out, soundfont):
    """Writes the sound and the beats of one MIDI file."""
    midi = mido.MidiFile(path, clip=True)
    name = out / pathlib.Path(path).stem.lower()
    begin = first_note(midi)
    if begin is None or midi.length < 20:
        return
    until = min(SECONDS, midi.length)
    with tempfile.NamedTemporaryFile(suffix=".mid") as short:
        cut(midi, until + 1).save(short.name)
        command = ["fluidsynth", "-ni", "-q", "-r", "44100", "-g", "0.5", "-T", "wav", "-O", "s16",
                   "-F", f"{name}.wav", soundfont, short.name]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    lines = [f"{seconds:.4f}\t{number}\n" for seconds, number in beats(midi, until)]
    pathlib.Path(f"{name}.beats").write_text("".join(lines))
    heard = [f"{seconds:.4f}\n" for seconds in onsets(midi, until)]
    pathlib.Path(f"{name}.onsets").write_text("".join(heard))


if __name__ == "__main__":
    folder = pathlib.Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for each in sys.argv[3:]:
        render(each, folder, sys.argv[2])
