/* The peer aubio at the time of emission: for each WAV file (16 bit, mono or stereo) it writes
 * OUT/NAME.txt with the end of the hop in which a beat or an onset was reported.
 *
 *     cc -O2 aubio.c -laubio -o aubio && ./aubio OUT FILE...
 */
#include <aubio/aubio.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

enum { WINDOW = 1024, HOP = 512 };

static void one(const char *out, const char *path) {
    const char *slash = strrchr(path, '/');
    const char *name = slash ? slash + 1 : path;
    char to[4096];
    snprintf(to, sizeof to, "%s/%.*s.txt", out, (int)(strlen(name) - 4), name);
    FILE *file = fopen(to, "w");
    aubio_source_t *source = new_aubio_source(path, 0, HOP);
    if (!file || !source) {
        fprintf(stderr, "cannot read %s or write %s\n", path, to);
        return;
    }
    uint32_t rate = aubio_source_get_samplerate(source), got = 0;
    uint64_t read = 0;
    aubio_tempo_t *tempo = new_aubio_tempo("default", WINDOW, HOP, rate);
    aubio_onset_t *onset = new_aubio_onset("hfc", WINDOW, HOP, rate);
    fvec_t *hop = new_fvec(HOP), *beat = new_fvec(1), *start = new_fvec(1);
    do {
        aubio_source_do(source, hop, &got);
        read += got;
        aubio_tempo_do(tempo, hop, beat);
        aubio_onset_do(onset, hop, start);
        if (beat->data[0] != 0) fprintf(file, "%.4f\tbeat\n", (double)read / rate);
        if (start->data[0] != 0) fprintf(file, "%.4f\tonset\n", (double)read / rate);
    } while (got == HOP);
    fclose(file);
    del_aubio_tempo(tempo);
    del_aubio_onset(onset);
    del_aubio_source(source);
    del_fvec(hop);
    del_fvec(beat);
    del_fvec(start);
}

int main(int count, char **words) {
    for (int i = 2; i < count; i++) one(words[1], words[i]);
    return 0;
}
