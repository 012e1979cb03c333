#include <string.h>

#include "lm_bytes.h"
#include "lm_internal.h"

#define VERSION_AND_LIVE (LM_VERSION << 4 | LM_KIND_LIVE)

bool lm_stream_start(struct lm_core *core, const struct lm_stream_settings *settings)
{
    struct lm_stream *s = &core->stream;

    if (!lm_ring_start(&core->ring, settings->samples)) {
        return false;
    }
    const uint32_t random = core->port->random(core->port->user);

    /* 0 means that nothing was started yet, and a session never has the number of the one before. */
    const uint32_t session = random == s->session ? random + 1U : random;

    *s = (struct lm_stream){
        .settings = *settings,
        .session = session == 0U ? 2U : session,
        .epoch = (uint8_t)(s->epoch + 1U),
        .has_frames = true,
    };
    return true;
}

static void close_frame(struct lm_core *core)
{
    if (core->stream.open_n > 0U) {
        lm_ring_close(&core->ring);
        core->stream.open_n = 0;
    }
}

void lm_stream_end(struct lm_core *core)
{
    close_frame(core);
}

void lm_stream_lost(struct lm_core *core, uint32_t n, bool is_step)
{
    struct lm_stream *s = &core->stream;

    if (n == 0U && !is_step) {
        return;
    }
    /* A frame has one index and one tick, so what follows a loss begins a new one. */
    close_frame(core);
    s->next_index += n;
    s->dropped += n;
    s->flags = (uint8_t)(s->flags | (n > 0U ? LM_FLAG_GAP_BEFORE : 0) | (is_step ? LM_FLAG_CLOCK_STEP : 0));
}

static void open_frame(struct lm_core *core, uint8_t *frame, uint32_t age)
{
    struct lm_stream *s = &core->stream;

    frame[LM_FRAME_TYPE] = VERSION_AND_LIVE;
    frame[LM_FRAME_FLAGS] = s->flags;
    frame[LM_FRAME_EPOCH] = s->epoch;
    lm_put_u32(frame + LM_FRAME_INDEX, s->next_index);
    lm_put_u32(frame + LM_FRAME_TICK, lm_clock_tick(&core->clock, age));
    s->flags = 0;
}

static bool is_clipped(const uint8_t *sample)
{
    for (uint32_t i = 0; i < LM_FRAME_SAMPLE_BYTES; i += 2U) {
        const uint16_t value = lm_get_u16(sample + i);

        if (value == 0x7FFFU || value == 0x8000U) {
            return true;
        }
    }
    return false;
}

void lm_stream_push(struct lm_core *core, const uint8_t *samples, uint8_t n, uint32_t age)
{
    struct lm_stream *s = &core->stream;

    for (uint32_t i = 0; i < n; i++) {
        const uint8_t *sample = samples + i * LM_FRAME_SAMPLE_BYTES;
        uint8_t *frame = lm_ring_open(&core->ring);

        if (s->open_n == 0U) {
            open_frame(core, frame, age + n - 1U - i);
        }
        memcpy(frame + LM_FRAME_HEADER_BYTES + s->open_n * LM_FRAME_SAMPLE_BYTES, sample, LM_FRAME_SAMPLE_BYTES);
        if (is_clipped(sample)) {
            frame[LM_FRAME_FLAGS] |= LM_FLAG_CLIPPED;
        }
        s->open_n++;
        frame[LM_FRAME_N] = s->open_n;
        s->next_index++;
        if (s->open_n == s->settings.samples) {
            close_frame(core);
        }
    }
}

uint32_t lm_stream_oldest(const struct lm_core *core)
{
    const uint8_t *frame = core->stream.has_frames ? lm_ring_frame(&core->ring, core->ring.tail) : NULL;

    return frame != NULL ? lm_get_u32(frame + LM_FRAME_INDEX) : core->stream.next_index - core->stream.open_n;
}

uint8_t lm_stream_gather(const struct lm_core *core, uint32_t *index, uint8_t max, uint8_t *frame)
{
    uint32_t number = lm_ring_find(&core->ring, *index);
    const uint8_t *from;
    uint8_t n = 0;

    while (n < max && (from = lm_ring_frame(&core->ring, number)) != NULL) {
        const uint32_t first = lm_get_u32(from + LM_FRAME_INDEX);

        if (n == 0U) {
            *index = lm_before(*index, first) ? first : *index;
            const uint32_t skipped = *index - first;
            const uint64_t ticks = ((uint64_t)skipped * core->clock.period_q16 + 0x8000U) >> 16;

            memcpy(frame, from, LM_FRAME_HEADER_BYTES);
            frame[LM_FRAME_TYPE] = LM_VERSION << 4 | LM_KIND_RESEND;
            if (skipped > 0U) {
                frame[LM_FRAME_FLAGS] &= LM_FLAG_CLIPPED;
            }
            lm_put_u32(frame + LM_FRAME_INDEX, *index);
            lm_put_u32(frame + LM_FRAME_TICK, lm_get_u32(from + LM_FRAME_TICK) + (uint32_t)ticks);
        } else if (first != *index + n || (from[LM_FRAME_FLAGS] & (LM_FLAG_GAP_BEFORE | LM_FLAG_CLOCK_STEP)) != 0) {
            break;
        } else {
            frame[LM_FRAME_FLAGS] |= from[LM_FRAME_FLAGS];
        }
        const uint32_t skip = *index + n - first;
        const uint32_t here = (uint32_t)from[LM_FRAME_N] - skip;
        const uint32_t take = here < (uint32_t)(max - n) ? here : (uint32_t)(max - n);

        memcpy(frame + LM_FRAME_HEADER_BYTES + n * LM_FRAME_SAMPLE_BYTES,
               from + LM_FRAME_HEADER_BYTES + skip * LM_FRAME_SAMPLE_BYTES, take * LM_FRAME_SAMPLE_BYTES);
        n = (uint8_t)(n + take);
        number++;
    }
    frame[LM_FRAME_N] = n;
    return n;
}
