#include "lm_clock.h"

#include "lm_protocol.h"

/* An interrupt later than this, once the clock has settled, is the processor's lateness and no news of the IMU's
 * clock: 0.5 ms. */
#define LATE_Q16 (16 * 65536)
/* So many observations in a row within that: settled. Until then the gains stay high enough to get there. */
#define SETTLED 16
/* Lateness of the reads that the bounds come from: 0.5 ms. */
#define SLACK_Q16 (16 * 65536)
/* A correction of the time line that a host should be told of: 0.25 ms. */
#define STEP_Q16 (8 * 65536)

void lm_clock_start(struct lm_clock *clock, uint16_t rate_hz)
{
    clock->nominal_q16 = (uint32_t)(((uint64_t)LM_TICK_HZ << 16) / rate_hz);
    clock->period_q16 = clock->nominal_q16;
    clock->newest_q16 = 0;
    clock->since = 0;
    clock->observations = 0;
    clock->good = 0;
    clock->is_running = false;
    clock->is_relocking = false;
}

void lm_clock_count(struct lm_clock *clock, uint32_t n)
{
    clock->newest_q16 += (uint64_t)n * clock->period_q16;
    clock->since += n;
}

void lm_clock_uncount(struct lm_clock *clock, uint32_t n)
{
    clock->newest_q16 -= (uint64_t)n * clock->period_q16;
    clock->since -= n < clock->since ? n : clock->since;
}

/* Signed distance from the newest sample to a tick near it, in 1/65536 tick, wherever the tick has wrapped. */
static int64_t from_newest(const struct lm_clock *clock, uint32_t tick)
{
    const int32_t whole = (int32_t)(tick - (uint32_t)(clock->newest_q16 >> 16));

    return (int64_t)whole * 65536 - (int64_t)(clock->newest_q16 & 0xFFFFU);
}

static void shift(struct lm_clock *clock, int64_t by_q16)
{
    clock->newest_q16 += (uint64_t)by_q16;
}

static void set_period(struct lm_clock *clock, int64_t period_q16)
{
    const int64_t reach = (int64_t)clock->nominal_q16 * LM_CLOCK_CLAMP / 256;
    const int64_t low = (int64_t)clock->nominal_q16 - reach;
    const int64_t high = (int64_t)clock->nominal_q16 + reach;

    if (period_q16 < low) {
        period_q16 = low;
    }
    if (period_q16 > high) {
        period_q16 = high;
    }
    clock->period_q16 = (uint32_t)period_q16;
}

/* Counts the samples that must be missing for the time line to be this late. */
static uint32_t lose(struct lm_clock *clock, int64_t late_q16)
{
    const uint32_t lost = (uint32_t)(late_q16 / clock->period_q16);

    lm_clock_count(clock, lost);
    clock->is_relocking = clock->is_relocking || lost > 0U;
    return lost;
}

static bool is_settled(const struct lm_clock *clock)
{
    return clock->good == SETTLED;
}

static void correct(struct lm_clock *clock, int64_t error, uint32_t age)
{
    if (is_settled(clock)) {
        error = error > LATE_Q16 ? LATE_Q16 : error;
        error = error < -LATE_Q16 ? -LATE_Q16 : error;
    } else {
        clock->good = error <= LATE_Q16 && error >= -LATE_Q16 ? (uint8_t)(clock->good + 1U) : 0U;
    }
    if (clock->observations < (is_settled(clock) ? LM_CLOCK_MEMORY : SETTLED)) {
        clock->observations++;
    }
    /* Gains of the least-squares line through n equidistant points: 2 (2 n - 1) / n (n + 1) for its end and
     * 6 / n (n + 1) for its slope (Bar-Shalom, Li, Kirubarajan 2001, section 3.5). */
    const int64_t n = clock->observations;
    const int64_t nn = n * (n + 1);

    shift(clock, error * 2 * (2 * n - 1) / nn);
    set_period(clock, (int64_t)clock->period_q16 + error * 6 / (nn * (int64_t)(clock->since - age)));
    clock->since = age;
}

uint32_t lm_clock_observe(struct lm_clock *clock, uint32_t age, uint32_t tick)
{
    if (!clock->is_running) {
        /* Far from zero, so that ages can be subtracted. */
        clock->newest_q16 = ((uint64_t)1 << 48) + ((uint64_t)tick << 16) + (uint64_t)age * clock->period_q16;
        clock->is_running = true;
        clock->observations = 1;
        clock->since = age;
        return 0;
    }
    if (clock->since <= age) {
        return 0; /* no sample since the last observation: nothing to learn a period from */
    }
    int64_t error = from_newest(clock, tick) + (int64_t)age * clock->period_q16;
    uint32_t lost = 0;

    if (is_settled(clock) && error > clock->period_q16 / 2) {
        lost = lose(clock, error + clock->period_q16 / 2);
        error -= (int64_t)lost * clock->period_q16;
    }
    if (clock->is_relocking) {
        shift(clock, error);
        clock->since = age;
        clock->is_relocking = false;
    } else {
        correct(clock, error, age);
    }
    return lost;
}

bool lm_clock_is_unsure(const struct lm_clock *clock, uint32_t n, uint32_t now, bool has_overrun)
{
    const int64_t period = clock->period_q16;
    const int64_t behind = from_newest(clock, now) - (int64_t)n * period;

    if (behind < (has_overrun ? period : 2 * period) - SLACK_Q16) {
        return false;
    }
    return behind % period < SLACK_Q16 || behind % period > period - SLACK_Q16;
}

uint32_t lm_clock_bound(struct lm_clock *clock, uint32_t now_before, uint32_t now_after, bool has_overrun,
                        bool *is_step)
{
    const int64_t period = clock->period_q16;
    const int64_t ahead = -from_newest(clock, now_after);
    int64_t behind = from_newest(clock, now_before);
    int64_t move = 0;
    uint32_t lost = 0;

    if (behind >= (has_overrun && is_settled(clock) ? period + SLACK_Q16 : 2 * period)) {
        lost = lose(clock, behind);
        behind -= (int64_t)lost * period;
    }
    if (ahead > SLACK_Q16) {
        move = -ahead;
    } else if (behind > period + SLACK_Q16) {
        move = behind - period;
    }
    shift(clock, move);
    *is_step = move > STEP_Q16 || move < -STEP_Q16;
    return lost;
}

uint32_t lm_clock_tick(const struct lm_clock *clock, uint32_t age)
{
    return (uint32_t)((clock->newest_q16 - (uint64_t)age * clock->period_q16 + 0x8000U) >> 16);
}
