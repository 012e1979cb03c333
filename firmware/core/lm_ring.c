#include "lm_ring.h"

#include <stddef.h>

#include "lm_bytes.h"
#include "lm_protocol.h"

bool lm_ring_start(struct lm_ring *ring, uint8_t samples)
{
    ring->slot_bytes = LM_FRAME_HEADER_BYTES + (uint32_t)samples * LM_FRAME_SAMPLE_BYTES;
    ring->slots = ring->size / ring->slot_bytes;
    ring->head = 0;
    ring->tail = 0;
    return ring->slots >= 2U;
}

static uint8_t *slot(const struct lm_ring *ring, uint32_t number)
{
    return ring->bytes + (number % ring->slots) * ring->slot_bytes;
}

uint8_t *lm_ring_open(struct lm_ring *ring)
{
    return slot(ring, ring->head);
}

void lm_ring_close(struct lm_ring *ring)
{
    ring->head++;
    if (ring->head - ring->tail >= ring->slots) {
        ring->tail++;
    }
}

const uint8_t *lm_ring_frame(const struct lm_ring *ring, uint32_t number)
{
    return number - ring->tail < ring->head - ring->tail ? slot(ring, number) : NULL;
}

uint32_t lm_ring_find(const struct lm_ring *ring, uint32_t index)
{
    uint32_t low = ring->tail;
    uint32_t high = ring->head;

    while (low != high) {
        const uint32_t middle = low + (high - low) / 2U;
        const uint8_t *frame = slot(ring, middle);
        const uint32_t end = lm_get_u32(frame + LM_FRAME_INDEX) + frame[LM_FRAME_N];

        if (lm_before(index, end)) {
            high = middle;
        } else {
            low = middle + 1U;
        }
    }
    return low;
}
