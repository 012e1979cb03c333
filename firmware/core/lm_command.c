#include <string.h>

#include "lm_bytes.h"
#include "lm_crc.h"
#include "lm_internal.h"

#define MS_PER_S 1000U
#define ANY_LENGTH 0xFF
/* Connection parameters that the radio's standard allows: 7.5 ms to 4 s, latency to 499, timeout 0.1 to 32 s. */
#define INTERVAL_LOW 6
#define INTERVAL_HIGH 3200
#define LATENCY_HIGH 499
#define TIMEOUT_LOW 10
#define TIMEOUT_HIGH 3200

struct request {
    const uint8_t *payload;
    uint8_t n;
    uint8_t command;
    uint8_t tag;
};

void lm_command_result(struct lm_core *core, uint8_t command, uint8_t tag, uint8_t code, const uint8_t *payload,
                       uint8_t n)
{
    struct lm_link *link = &core->link;
    uint8_t *result = link->results[link->result_count];

    result[0] = LM_RESULT_MARKER;
    result[1] = command;
    result[2] = tag;
    result[3] = code;
    if (n > 0U) {
        memcpy(result + LM_RESULT_HEADER_BYTES, payload, n);
    }
    link->result_bytes[link->result_count] = (uint8_t)(LM_RESULT_HEADER_BYTES + n);
    link->result_count++;
}

static void answer(struct lm_core *core, const struct request *r, uint8_t code)
{
    lm_command_result(core, r->command, r->tag, code, NULL, 0);
}

static void start(struct lm_core *core, const struct request *r)
{
    const struct lm_stream_settings settings = {
        .rate_hz = lm_get_u16(r->payload),
        .acc_range_g = r->payload[2],
        .gyr_range_dps = lm_get_u16(r->payload + 3),
        .samples = r->payload[5],
    };
    uint8_t payload[9];
    const uint8_t code = lm_core_begin(core, &settings);

    if (code != LM_CODE_OK) {
        answer(core, r, code);
        return;
    }
    lm_put_u32(payload, core->stream.session);
    payload[4] = core->stream.epoch;
    lm_put_u32(payload + 5, core->stream.next_index);
    lm_command_result(core, r->command, r->tag, code, payload, sizeof payload);
}

static void resend(struct lm_core *core, const struct request *r)
{
    struct lm_link *link = &core->link;
    const uint8_t k = r->n > 0U ? r->payload[0] : 0U;
    uint8_t payload[4];

    if (k == 0U || r->n != 1U + k * LM_RANGE_BYTES) {
        answer(core, r, LM_CODE_WRONG_LENGTH);
        return;
    }
    if (k > LM_LIMIT_MAX_RANGES) {
        answer(core, r, LM_CODE_BAD_VALUE);
        return;
    }
    if (!core->stream.has_frames) {
        answer(core, r, LM_CODE_NOT_THERE);
        return;
    }
    /* The host asks for all that it still misses, so the newest request takes the place of the one before. */
    link->range_count = 0;
    for (uint32_t i = 0; i < k; i++) {
        const uint8_t *range = r->payload + 1 + i * LM_RANGE_BYTES;
        const uint32_t first = lm_get_u32(range);
        const uint16_t count = lm_get_u16(range + 4);

        link->ranges[link->range_count] = (struct lm_range){first, first + count};
        link->range_count++;
    }
    lm_put_u32(payload, lm_stream_oldest(core));
    lm_command_result(core, r->command, r->tag, LM_CODE_OK, payload, sizeof payload);
}

static void set_role(struct lm_core *core, const struct request *r)
{
    const uint8_t before = core->role;

    if (r->payload[0] > LM_ROLE_TRUNK) {
        answer(core, r, LM_CODE_BAD_VALUE);
        return;
    }
    core->role = r->payload[0];
    if (before != core->role && !lm_settings_save(core)) {
        answer(core, r, LM_CODE_HARDWARE);
        return;
    }
    answer(core, r, LM_CODE_OK);
}

static void set_utc(struct lm_core *core, const struct request *r)
{
    core->utc_ms = (uint64_t)lm_get_u32(r->payload) | (uint64_t)lm_get_u32(r->payload + 4) << 32;
    core->utc_tick = lm_now(core);
    answer(core, r, LM_CODE_OK);
}

static void mark(struct lm_core *core, const struct request *r)
{
    if (core->state != LM_STATE_STREAMING) {
        answer(core, r, LM_CODE_WRONG_STATE);
        return;
    }
    core->stream.flags |= LM_FLAG_MARK;
    answer(core, r, LM_CODE_OK);
}

static void identify(struct lm_core *core, const struct request *r)
{
    core->is_identifying = r->payload[0] > 0U;
    core->identify_until = lm_now(core) + (uint32_t)r->payload[0] * LM_TICK_HZ;
    answer(core, r, LM_CODE_OK);
}

static void log_list(struct lm_core *core, const struct request *r)
{
    uint8_t payload[12];

    lm_put_u32(payload, core->log.first);
    lm_put_u32(payload + 4, core->log.next - core->log.first);
    lm_put_u32(payload + 8, core->log.pages);
    lm_command_result(core, r->command, r->tag, LM_CODE_OK, payload, sizeof payload);
}

static void log_read(struct lm_core *core, const struct request *r)
{
    struct lm_link *link = &core->link;
    const uint32_t first = lm_get_u32(r->payload);
    const uint32_t pages = lm_get_u16(r->payload + 4);

    if (link->mtu < LM_MTU_MIN) {
        answer(core, r, LM_CODE_MTU_TOO_SMALL);
    } else if (link->is_log_sending || core->log.is_erasing) {
        answer(core, r, LM_CODE_BUSY);
    } else if (pages == 0U || first - core->log.first >= core->log.next - core->log.first) {
        answer(core, r, LM_CODE_NOT_THERE);
    } else {
        const uint32_t rest = core->log.next - first;

        link->is_log_sending = true;
        link->log_asked = first;
        link->log_at = first;
        link->log_end = first + (pages < rest ? pages : rest);
        link->log_sent = 0;
        answer(core, r, LM_CODE_OK);
    }
}

static void log_erase(struct lm_core *core, const struct request *r)
{
    if (core->link.is_log_sending) {
        answer(core, r, LM_CODE_BUSY);
        return;
    }
    lm_log_erase(&core->log);
    answer(core, r, LM_CODE_OK);
}

static void connection(struct lm_core *core, const struct request *r)
{
    const uint16_t low = lm_get_u16(r->payload);
    const uint16_t high = lm_get_u16(r->payload + 2);
    const uint16_t latency = lm_get_u16(r->payload + 4);
    const uint16_t timeout = lm_get_u16(r->payload + 6);
    /* Core specification, Vol 6 Part B 4.5.2: the timeout holds at least two intervals with their latency. */
    const uint32_t least = (1U + latency) * (uint32_t)high / 4U + 1U;

    if (low < INTERVAL_LOW || high < low || high > INTERVAL_HIGH || latency > LATENCY_HIGH ||
        timeout < TIMEOUT_LOW || timeout > TIMEOUT_HIGH || timeout < least) {
        answer(core, r, LM_CODE_BAD_VALUE);
        return;
    }
    if (core->port->connection != NULL) {
        core->port->connection(core->port->user, low, high, latency, timeout);
    }
    answer(core, r, LM_CODE_OK);
}

static void restart(struct lm_core *core, const struct request *r, uint8_t how)
{
    if (core->state == LM_STATE_STREAMING) {
        answer(core, r, LM_CODE_WRONG_STATE);
        return;
    }
    answer(core, r, LM_CODE_OK);
    lm_core_restart(core, how);
}

static void bootloader(struct lm_core *core, const struct request *r)
{
    /* The key keeps a stray write from ending a run. */
    if (lm_get_u32(r->payload) != LM_LIMIT_BOOTLOADER_KEY) {
        answer(core, r, LM_CODE_BAD_VALUE);
        return;
    }
    restart(core, r, LM_RESTART_BOOTLOADER);
}

static void set_calibration(struct lm_core *core, const struct request *r)
{
    memcpy(core->calibration, r->payload, LM_PAYLOAD_SET_CALIBRATION);
    lm_put_u32(core->calibration + LM_PAYLOAD_SET_CALIBRATION,
               lm_crc32(core->calibration, LM_PAYLOAD_SET_CALIBRATION));
    answer(core, r, lm_settings_save(core) ? LM_CODE_OK : LM_CODE_HARDWARE);
}

static void stop(struct lm_core *core, const struct request *r)
{
    lm_core_end(core);
    if (core->state == LM_STATE_STREAMING) {
        lm_core_enter(core, LM_STATE_READY);
    }
    answer(core, r, LM_CODE_OK);
}

/* Length of a command's payload; -1 for a command that does not exist. */
static int payload_length(uint8_t command)
{
    switch (command) {
    case LM_COMMAND_START: return LM_PAYLOAD_START;
    case LM_COMMAND_STOP: return LM_PAYLOAD_STOP;
    case LM_COMMAND_RESEND: return ANY_LENGTH;
    case LM_COMMAND_SET_ROLE: return LM_PAYLOAD_SET_ROLE;
    case LM_COMMAND_SET_UTC: return LM_PAYLOAD_SET_UTC;
    case LM_COMMAND_MARK: return LM_PAYLOAD_MARK;
    case LM_COMMAND_IDENTIFY: return LM_PAYLOAD_IDENTIFY;
    case LM_COMMAND_LOG_LIST: return LM_PAYLOAD_LOG_LIST;
    case LM_COMMAND_LOG_READ: return LM_PAYLOAD_LOG_READ;
    case LM_COMMAND_LOG_ERASE: return LM_PAYLOAD_LOG_ERASE;
    case LM_COMMAND_CONNECTION: return LM_PAYLOAD_CONNECTION;
    case LM_COMMAND_BOOTLOADER: return LM_PAYLOAD_BOOTLOADER;
    case LM_COMMAND_SLEEP: return LM_PAYLOAD_SLEEP;
    case LM_COMMAND_SET_CALIBRATION: return LM_PAYLOAD_SET_CALIBRATION;
    default: return -1;
    }
}

static void obey(struct lm_core *core, const struct request *r)
{
    switch (r->command) {
    case LM_COMMAND_START: start(core, r); break;
    case LM_COMMAND_STOP: stop(core, r); break;
    case LM_COMMAND_RESEND: resend(core, r); break;
    case LM_COMMAND_SET_ROLE: set_role(core, r); break;
    case LM_COMMAND_SET_UTC: set_utc(core, r); break;
    case LM_COMMAND_MARK: mark(core, r); break;
    case LM_COMMAND_IDENTIFY: identify(core, r); break;
    case LM_COMMAND_LOG_LIST: log_list(core, r); break;
    case LM_COMMAND_LOG_READ: log_read(core, r); break;
    case LM_COMMAND_LOG_ERASE: log_erase(core, r); break;
    case LM_COMMAND_CONNECTION: connection(core, r); break;
    case LM_COMMAND_BOOTLOADER: bootloader(core, r); break;
    case LM_COMMAND_SLEEP: restart(core, r, LM_RESTART_OFF); break;
    default: set_calibration(core, r); break;
    }
}

uint8_t lm_core_control(struct lm_core *core, const uint8_t *bytes, uint16_t n)
{
    if (n < 2U || n > LM_MTU_MIN - 3U) {
        return LM_ATT_BAD_LENGTH;
    }
    if (core->link.result_count == LM_RESULTS) {
        return LM_ATT_BUSY;
    }
    const struct request r = {bytes + 2, (uint8_t)(n - 2U), bytes[0], bytes[1]};
    const int length = payload_length(r.command);

    if (length < 0) {
        answer(core, &r, LM_CODE_UNKNOWN_COMMAND);
    } else if (length != ANY_LENGTH && length != r.n) {
        answer(core, &r, LM_CODE_WRONG_LENGTH);
    } else {
        obey(core, &r);
    }
    return LM_ATT_OK;
}

uint32_t lm_core_utc_s(const struct lm_core *core)
{
    const uint32_t elapsed = lm_now(core) - core->utc_tick;

    return core->utc_ms == 0U ? 0U : (uint32_t)(core->utc_ms / MS_PER_S + elapsed / LM_TICK_HZ);
}
