/* Ring of the last frames in RAM: what a host may ask for again. Frames are kept as sent, in slots of one size;
 * they are numbered from 0 since the session began. */
#ifndef LM_RING_H
#define LM_RING_H

#include <stdbool.h>
#include <stdint.h>

struct lm_ring {
    uint8_t *bytes;
    uint32_t size;
    uint32_t slot_bytes;
    uint32_t slots;
    uint32_t head; /* number of the frame being filled */
    uint32_t tail; /* number of the oldest whole frame */
};

/* Empties the ring and cuts it into slots for frames of up to `samples`; false if it holds less than two. */
bool lm_ring_start(struct lm_ring *ring, uint8_t samples);

/* The slot being filled. */
uint8_t *lm_ring_open(struct lm_ring *ring);

/* The open slot becomes a whole frame; the oldest frame makes room for the next one. */
void lm_ring_close(struct lm_ring *ring);

/* A whole frame by its number, or NULL if it is gone or not there yet. */
const uint8_t *lm_ring_frame(const struct lm_ring *ring, uint32_t number);

/* Number of the first frame that holds `index` or a later sample; head if there is none. */
uint32_t lm_ring_find(const struct lm_ring *ring, uint32_t index);

#endif
