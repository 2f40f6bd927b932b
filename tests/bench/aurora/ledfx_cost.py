"""What LedFx's analysis costs: processor seconds for one second of music, without effects or outputs.

    ledfx_cost.py WAV...

Feeds files of 44.1 kHz in the pieces that its sound callback gets (60 a second) to LedFx's own analysis,
with its usual settings and every analysis that it subscribes by itself, as fast as it goes. Runs in a Python
with LedFx 2.2.1 (3.12; it needs PortAudio's library, but no sound card).
"""

import resource
import sys
import types
import wave

import aubio
import numpy as np
import samplerate
from ledfx.effects.audio import AudioAnalysisSource, AudioInputSource
from ledfx.effects.math import ExpFilter
from ledfx.effects.melbank import FFT_SIZE, MIC_RATE

PIECES = 60


class Host:
    """What the analysis asks of the rest of LedFx."""

    config = {}
    dev_enabled = staticmethod(lambda: False)
    events = types.SimpleNamespace(add_listener=lambda *_: None, fire_event=lambda *_: None)


def processor():
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def source():
    """The analysis, ready for sound, without a device."""
    AudioInputSource.device_index_validator = staticmethod(lambda value: value)
    usual = {"sample_rate": PIECES, "fft_size": FFT_SIZE, "min_volume": 0.2, "delay_ms": 0}
    AudioInputSource.update_config = lambda self, config: setattr(self, "_config", {**usual, **config})
    AudioInputSource.subscribe = lambda self, callback: self._callbacks.append(callback)
    analysis = AudioAnalysisSource(Host(), {})
    # What opening a device would have made (ledfx/effects/audio.py, _activate_inner).
    hop = MIC_RATE // PIECES
    analysis._raw_audio_sample = np.zeros(hop, dtype=np.float32)
    analysis._phase_vocoder = aubio.pvoc(FFT_SIZE, hop)
    analysis._frequency_domain_null = aubio.cvec(FFT_SIZE)
    analysis._frequency_domain = analysis._frequency_domain_null
    analysis._volume_filter = ExpFilter(0.0, alpha_decay=0.1, alpha_rise=0.9)
    analysis._volume = 0.0
    analysis.delay_queue = None
    analysis.pre_emphasis = aubio.digital_filter(3)
    analysis.pre_emphasis.set_biquad(0.8268, -1.6536, 0.8268, -1.6536, 0.6536)
    analysis.resampler = samplerate.Resampler("sinc_fastest", channels=1)
    return analysis


def main(paths):
    analysis, seconds, spent = source(), 0.0, 0.0
    for path in paths:
        with wave.open(path) as file:
            raw = np.frombuffer(file.readframes(file.getnframes()), dtype="<i2").astype(np.float32) / 32768
            mono = raw.reshape(-1, file.getnchannels()).mean(axis=1).astype(np.float32)
            rate = file.getframerate()
        piece = rate // PIECES
        begun = processor()
        for at in range(0, len(mono) - piece, piece):
            analysis._audio_sample_callback(mono[at : at + piece].tobytes(), piece, None, None)
        spent += processor() - begun
        seconds += len(mono) / rate
    print(f"{spent * 1000 / seconds:.2f} ms of processor for a second of music ({seconds:.0f} s)")


if __name__ == "__main__":
    main(sys.argv[1:])
