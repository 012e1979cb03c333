#include <string.h>

#include "lm_bytes.h"
#include "lm_internal.h"

/* A live frame may wait behind this many others; beyond it the newest goes first and the host asks for the rest. */
#define LIVE_LAG 8U
/* One of the radio's places is kept for live frames, so that they never wait for what is sent again. */
#define QUEUED_AGAIN (LM_LIMIT_MAX_QUEUED - 1)
#define FRAMES_BETWEEN_TEMPERATURES 64

/* Wishes, in the radio's units: 15 ms (Apple's floor), no latency, and a supervision timeout of 5 s, because a body
 * between two antennas lasts longer than Linux' 0.42 s. */
#define INTERVAL 12
#define LATENCY 0
#define TIMEOUT 500

void lm_link_reset(struct lm_core *core)
{
    core->link = (struct lm_link){.mtu = 23};
}

/* Whether frames and pages fit. */
static bool is_wide(const struct lm_core *core)
{
    return core->link.is_up && core->link.mtu >= LM_MTU_MIN;
}

static bool is_data_heard(const struct lm_core *core)
{
    return is_wide(core) && core->link.is_subscribed[LM_CHANNEL_DATA];
}

static bool hand_over(struct lm_core *core, uint8_t channel, const uint8_t *bytes, uint32_t n)
{
    return core->port->notify(core->port->user, channel, bytes, (uint16_t)n) == 0;
}

static bool hand_over_queued(struct lm_core *core, uint8_t channel, const uint8_t *bytes, uint32_t n)
{
    if (!hand_over(core, channel, bytes, n)) {
        return false;
    }
    core->link.queued++;
    return true;
}

static void send_results(struct lm_core *core)
{
    struct lm_link *link = &core->link;

    if (link->result_count == 0U || link->is_result_out || !link->is_subscribed[LM_CHANNEL_CONTROL]) {
        return;
    }
    if (!hand_over(core, LM_CHANNEL_CONTROL, link->results[0], link->result_bytes[0])) {
        return;
    }
    link->is_result_out = true;
    link->result_count--;
    memmove(link->results[0], link->results[1], (size_t)link->result_count * LM_LIMIT_RESULT_BYTES);
    memmove(link->result_bytes, link->result_bytes + 1, link->result_count);
}

static void send_clock(struct lm_core *core)
{
    struct lm_link *link = &core->link;

    if (link->has_clock_answer && link->is_subscribed[LM_CHANNEL_CLOCK]) {
        lm_put_u32(link->clock_answer + 8, lm_now(core));
        if (hand_over(core, LM_CHANNEL_CLOCK, link->clock_answer, LM_CLOCK_ANSWER_BYTES)) {
            link->has_clock_answer = false;
        }
    }
}

static uint32_t copy_frame(struct lm_core *core, const uint8_t *frame, uint8_t kind)
{
    uint32_t n = LM_FRAME_HEADER_BYTES + (uint32_t)frame[LM_FRAME_N] * LM_FRAME_SAMPLE_BYTES;

    memcpy(core->scratch, frame, n);
    core->scratch[LM_FRAME_TYPE] = (uint8_t)(LM_VERSION << 4 | kind);
    if (kind == LM_KIND_WITH_TEMPERATURE) {
        lm_put_u16(core->scratch + n, (uint16_t)core->temperature_centi_c);
        n += 2U;
    }
    return n;
}

static void send_live(struct lm_core *core)
{
    struct lm_stream *s = &core->stream;

    if (core->ring.head - s->live_next > LIVE_LAG) {
        s->live_next = core->ring.head - 1U;
    }
    while (core->link.queued < LM_LIMIT_MAX_QUEUED) {
        const uint8_t *frame = lm_ring_frame(&core->ring, s->live_next);

        if (frame == NULL) {
            return;
        }
        const bool is_turn = s->until_temperature == 0U && core->temperature_centi_c != INT16_MIN;
        const uint32_t n = copy_frame(core, frame, is_turn ? LM_KIND_WITH_TEMPERATURE : LM_KIND_LIVE);

        if (!hand_over_queued(core, LM_CHANNEL_DATA, core->scratch, n)) {
            return;
        }
        s->live_next++;
        s->taken_next = s->live_next;
        s->until_temperature = s->until_temperature == 0U ? FRAMES_BETWEEN_TEMPERATURES : s->until_temperature;
        s->until_temperature--;
    }
}

/* The frame that holds a range's first sample, or the next one after it that is still there. */
static const uint8_t *frame_of(const struct lm_core *core, struct lm_range *range)
{
    const uint8_t *frame = lm_ring_frame(&core->ring, lm_ring_find(&core->ring, range->first));

    if (frame == NULL || !lm_before(lm_get_u32(frame + LM_FRAME_INDEX), range->end)) {
        return NULL;
    }
    return frame;
}

static void send_ranges(struct lm_core *core)
{
    struct lm_link *link = &core->link;

    while (link->range_count > 0U && link->queued < QUEUED_AGAIN) {
        struct lm_range *range = &link->ranges[0];
        const uint8_t *frame = frame_of(core, range);

        if (frame != NULL) {
            const uint32_t n = copy_frame(core, frame, LM_KIND_RESEND);

            if (!hand_over_queued(core, LM_CHANNEL_DATA, core->scratch, n)) {
                return;
            }
            range->first = lm_get_u32(frame + LM_FRAME_INDEX) + frame[LM_FRAME_N];
        }
        if (frame == NULL || !lm_before(range->first, range->end)) {
            link->range_count--;
            memmove(link->ranges, link->ranges + 1, link->range_count * sizeof link->ranges[0]);
            /* Tells the host that nothing more will come. */
            link->is_status_due = link->is_status_due || link->range_count == 0U;
        }
    }
}

static void send_log(struct lm_core *core)
{
    struct lm_link *link = &core->link;

    /* One page a poll: reading flash takes longer than copying RAM. */
    if (!link->is_log_sending || link->queued >= QUEUED_AGAIN || !link->is_subscribed[LM_CHANNEL_LOG] ||
        core->is_page_filled) {
        return;
    }
    if (link->log_at == link->log_end) {
        uint8_t *end = core->scratch;

        lm_put_u32(end, link->log_asked);
        lm_put_u32(end + 4, link->log_sent);
        link->is_log_sending = !hand_over_queued(core, LM_CHANNEL_LOG, end, LM_LOG_END_BYTES);
        return;
    }
    if (!lm_log_read(&core->log, link->log_at)) {
        link->log_at++; /* torn by a power cut, or overwritten since it was asked for */
    } else if (hand_over_queued(core, LM_CHANNEL_LOG, core->log.page, LM_LOG_PAGE_BYTES)) {
        link->log_at++;
        link->log_sent++;
    }
}

static void send_status(struct lm_core *core, uint32_t now)
{
    struct lm_link *link = &core->link;

    if (!link->is_subscribed[LM_CHANNEL_STATUS]) {
        return;
    }
    if (link->is_status_due || !lm_before(now, link->status_due)) {
        lm_core_status(core, core->scratch);
        if (hand_over(core, LM_CHANNEL_STATUS, core->scratch, LM_STATUS_BYTES)) {
            link->is_status_due = false;
            link->status_due = now + LM_TICK_HZ;
        }
    }
}

void lm_link_send(struct lm_core *core, uint32_t now)
{
    if (!core->link.is_up) {
        return;
    }
    send_results(core);
    send_clock(core);
    if (is_data_heard(core) && core->stream.has_frames) {
        send_live(core);
        send_ranges(core);
    }
    if (is_wide(core)) {
        send_log(core);
    }
    send_status(core, now);
}

/* Whether the next poll would have something to send without anything else happening. */
bool lm_link_is_busy(const struct lm_core *core)
{
    const struct lm_link *link = &core->link;

    return is_wide(core) && link->queued < QUEUED_AGAIN &&
           ((link->range_count > 0U && is_data_heard(core)) ||
            (link->is_log_sending && link->is_subscribed[LM_CHANNEL_LOG]));
}

void lm_core_connected(struct lm_core *core)
{
    lm_link_reset(core);
    core->link.is_up = true;
    core->link.status_due = lm_now(core);
    if (core->port->connection != NULL) {
        core->port->connection(core->port->user, INTERVAL, INTERVAL, LATENCY, TIMEOUT);
    }
    if (core->state == LM_STATE_IDLE) {
        lm_core_enter(core, LM_STATE_READY);
    } else if (core->state == LM_STATE_UNLINKED) {
        /* What nobody listens to is logged on: a host may have come to look only. */
        lm_core_enter(core, LM_STATE_STREAMING);
    }
}

void lm_core_disconnected(struct lm_core *core)
{
    const bool is_streaming = core->state == LM_STATE_STREAMING;

    if (is_streaming) {
        lm_outage_begin(core);
    }
    lm_link_reset(core);
    if (is_streaming) {
        lm_core_enter(core, LM_STATE_UNLINKED);
    } else if (core->state == LM_STATE_READY) {
        lm_core_enter(core, LM_STATE_IDLE);
    }
}

void lm_core_mtu(struct lm_core *core, uint16_t mtu)
{
    core->link.mtu = mtu;
}

void lm_core_subscribed(struct lm_core *core, uint8_t channel, bool is_on)
{
    if (channel >= LM_CHANNELS || !core->link.is_up) {
        return;
    }
    if (channel == LM_CHANNEL_DATA && is_on && !core->link.is_subscribed[channel]) {
        /* What was sampled before anybody listened is sent when it is asked for. */
        lm_outage_end(core);
        core->stream.live_next = core->ring.head;
        core->stream.taken_next = core->ring.head;
    }
    core->link.is_subscribed[channel] = is_on;
}

void lm_core_sent(struct lm_core *core, uint8_t channel)
{
    if (channel == LM_CHANNEL_CONTROL) {
        core->link.is_result_out = false;
    } else if ((channel == LM_CHANNEL_DATA || channel == LM_CHANNEL_LOG) && core->link.queued > 0U) {
        core->link.queued--;
    }
}

uint8_t lm_core_clock_request(struct lm_core *core, const uint8_t *bytes, uint16_t n, uint32_t received_tick)
{
    if (n != LM_CLOCK_REQUEST_BYTES) {
        return LM_ATT_BAD_LENGTH;
    }
    memcpy(core->link.clock_answer, bytes, LM_CLOCK_REQUEST_BYTES);
    lm_put_u32(core->link.clock_answer + 4, received_tick);
    core->link.has_clock_answer = true;
    return LM_ATT_OK;
}
