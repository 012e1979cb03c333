/* Sample clock: which crystal tick each sample was taken at.
 *
 * The IMU samples by an RC oscillator of its own, some per cent off its nominal rate (2.8 % was measured on an
 * LSM6DS3TR-C), so the period is estimated against the crystal: a line through (sample count, tick of the
 * watermark interrupt), with the gains of a growing least-squares fit that stop shrinking after LM_CLOCK_MEMORY
 * observations. All integer, in 1/65536 tick. */
#ifndef LM_CLOCK_H
#define LM_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

#define LM_CLOCK_MEMORY 64
/* Farthest that a period may be from nominal, in parts of 256: 9 %, as a rate 8 % low is a period 8.7 % long. */
#define LM_CLOCK_CLAMP 23

struct lm_clock {
    uint64_t newest_q16;   /* tick of the newest counted sample */
    uint32_t period_q16;   /* ticks from sample to sample */
    uint32_t nominal_q16;
    uint32_t since;        /* samples counted since the last observation */
    uint16_t observations; /* at most LM_CLOCK_MEMORY */
    uint8_t good;          /* observations in a row that came when they were expected, until it has settled */
    bool is_running;       /* the first tick is known */
    bool is_relocking;     /* samples were lost: the next observation moves the time line, not the period */
};

void lm_clock_start(struct lm_clock *clock, uint16_t rate_hz);

/* n more samples exist. */
void lm_clock_count(struct lm_clock *clock, uint32_t n);

/* The last n that were counted could not be read: they will be counted again, or are missing. */
void lm_clock_uncount(struct lm_clock *clock, uint32_t n);

/* The sample `age` before the newest one was stored at `tick`, or a little earlier. Returns how many samples must
 * have been lost for that to be, and counts them. */
uint32_t lm_clock_observe(struct lm_clock *clock, uint32_t age, uint32_t tick);

/* The newest sample was stored no later than `now_after` and less than a period before `now_before`: what can be
 * said where an interrupt was missed. Returns how many samples must have been lost for that to be, counts them, and
 * moves the clock into the bounds. `has_overrun`: the chip itself says that it lost some, so that one missing sample
 * is believed too. Sets `is_step` if the time line had to jump. */
uint32_t lm_clock_bound(struct lm_clock *clock, uint32_t now_before, uint32_t now_after, bool has_overrun,
                        bool *is_step);

/* Whether samples are missing and, n more having been counted, a sample may or may not just have been taken at `now`:
 * then how many are missing cannot be said to one, and is better asked a little later. */
bool lm_clock_is_unsure(const struct lm_clock *clock, uint32_t n, uint32_t now, bool has_overrun);

/* Tick of the sample `age` before the newest. */
uint32_t lm_clock_tick(const struct lm_clock *clock, uint32_t age);

#endif
