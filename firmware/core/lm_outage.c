#include <stddef.h>

#include "lm_bytes.h"
#include "lm_internal.h"

/* What the radio still held when the link ended, and what its controller held behind that, nobody heard: so much is
 * logged again, with all that the radio refused since. */
#define FRAMES_AGAIN (LM_LIMIT_MAX_QUEUED + 8U)

void lm_outage_begin(struct lm_core *core)
{
    const struct lm_ring *ring = &core->ring;
    const uint32_t sent = core->link.is_subscribed[LM_CHANNEL_DATA] ? core->stream.taken_next : ring->head;
    const uint32_t from = lm_before(sent - FRAMES_AGAIN, ring->tail) ? ring->tail : sent - FRAMES_AGAIN;
    const uint8_t *frame = lm_ring_frame(ring, from);

    if (core->is_logging) {
        return; /* the host that came never listened */
    }
    if (core->log.is_erasing) {
        return; /* the host has just said that it wants nothing kept; the ring still holds what it held */
    }
    core->stream.log_next =
        frame != NULL ? lm_get_u32(frame + LM_FRAME_INDEX) : core->stream.next_index - core->stream.open_n;
    core->is_logging = core->log.pages != 0U;
    core->is_page_filled = false;
}

/* The rest is in the ring, and the host is there to ask for it. */
void lm_outage_end(struct lm_core *core)
{
    core->is_logging = false;
    core->is_page_filled = false;
}

static void fill_page(struct lm_core *core, uint8_t least)
{
    uint32_t index = core->stream.log_next;
    uint8_t *frame = lm_log_frame(&core->log);
    const uint8_t n = lm_stream_gather(core, &index, LM_LOG_PAGE_SAMPLES, frame);
    /* Less than a page may mean that more is to come, or that a gap follows. */
    const uint32_t whole = core->stream.next_index - core->stream.open_n;
    const bool is_cut = n > 0U && lm_before(index + n, whole);

    if (n == 0U) {
        core->stream.log_next = whole; /* what lies between was lost before it reached the ring */
    } else if (n >= least || is_cut) {
        core->stream.log_next = index + n;
        core->is_page_filled = true;
    }
}

/* One step of flash work; true while there is more to do at once. */
bool lm_outage_step(struct lm_core *core)
{
    if (core->log.is_erasing) {
        return !lm_log_erase_step(&core->log);
    }
    /* A page that is read and a page that is filled share their place. */
    if (!core->is_logging || (core->link.is_log_sending && !core->is_page_filled)) {
        return false;
    }
    if (!core->is_page_filled) {
        fill_page(core, LM_LOG_PAGE_SAMPLES);
    }
    if (core->is_page_filled && lm_log_write(&core->log, core->stream.session, lm_core_utc_s(core))) {
        core->is_page_filled = false;
    }
    return core->is_page_filled ||
           core->stream.next_index - core->stream.open_n - core->stream.log_next >= LM_LOG_PAGE_SAMPLES;
}

/* The end of a session that nobody hears: the last, shorter page too. */
void lm_outage_flush(struct lm_core *core)
{
    while (core->is_logging && lm_outage_step(core)) {
    }
    if (core->is_logging) {
        fill_page(core, 1);
        while (core->is_page_filled && lm_outage_step(core)) {
        }
    }
    lm_outage_end(core);
}
