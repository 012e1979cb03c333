#include "lm_core.h"

#include <stddef.h>
#include <string.h>

#include "lm_bytes.h"
#include "lm_internal.h"
#include "lm_led.h"

#define IDLE_OFF_S (10U * 60U)
#define UNLINKED_STOP_S (60U * 60U)
#define RESTART_S 1U
#define POLL_TICKS (LM_TICK_HZ / 8U)
#define BURSTS_A_POLL 4

static const uint16_t RATES_HZ[4] = {52, 104, 208, 416};
static const uint8_t ACC_RANGES_G[4] = {2, 4, 8, 16};
static const uint16_t GYR_RANGES_DPS[4] = {250, 500, 1000, 2000};

uint32_t lm_core_size(void)
{
    return (uint32_t)sizeof(struct lm_core);
}

uint8_t lm_core_state(const struct lm_core *core)
{
    return core->state;
}

bool lm_core_init(struct lm_core *core, const struct lm_config *config)
{
    *core = (struct lm_core){
        .port = config->port,
        .ring = {.bytes = config->ring, .size = config->ring_bytes},
        .board = config->board,
        .temperature_centi_c = INT16_MIN,
    };
    memcpy(core->serial, config->serial, sizeof core->serial);
    lm_settings_load(core);
    core->boots++;
    (void)lm_settings_save(core);
    lm_link_reset(core);
    lm_log_init(&core->log, config->port, config->flash_bytes);
    lm_imu_init(&core->imu, config->port, &core->clock);
    lm_power_init(&core->power, lm_now(core));
    lm_core_enter(core, LM_STATE_IDLE);
    return lm_ring_start(&core->ring, LM_FRAME_MAX_SAMPLES);
}

void lm_core_enter(struct lm_core *core, uint8_t state)
{
    core->state = state;
    core->state_since = lm_now(core);
    core->link.is_status_due = true;
}

static bool is_offered(const struct lm_stream_settings *s)
{
    bool is_rate = false;
    bool is_acc = false;
    bool is_gyr = false;

    for (uint32_t i = 0; i < 4U; i++) {
        is_rate = is_rate || RATES_HZ[i] == s->rate_hz;
        is_acc = is_acc || ACC_RANGES_G[i] == s->acc_range_g;
        is_gyr = is_gyr || GYR_RANGES_DPS[i] == s->gyr_range_dps;
    }
    return is_rate && is_acc && is_gyr && s->samples >= LM_FRAME_MIN_SAMPLES_ASKED &&
           s->samples <= LM_FRAME_MAX_SAMPLES;
}

static bool is_same(const struct lm_stream_settings *a, const struct lm_stream_settings *b)
{
    return a->rate_hz == b->rate_hz && a->acc_range_g == b->acc_range_g && a->gyr_range_dps == b->gyr_range_dps &&
           a->samples == b->samples;
}

/* START. While streaming, the same settings again are no new session: a host that came back need not know. */
uint8_t lm_core_begin(struct lm_core *core, const struct lm_stream_settings *settings)
{
    const struct lm_imu_settings imu = {
        .rate_hz = settings->rate_hz,
        .gyr_range_dps = settings->gyr_range_dps,
        .acc_range_g = settings->acc_range_g,
        .watermark = settings->samples,
    };

    if (!is_offered(settings)) {
        return LM_CODE_BAD_VALUE;
    }
    if (core->link.mtu < LM_MTU_MIN) {
        return LM_CODE_MTU_TOO_SMALL;
    }
    if (core->state == LM_STATE_STREAMING) {
        return is_same(settings, &core->stream.settings) ? LM_CODE_OK : LM_CODE_WRONG_STATE;
    }
    if (core->state != LM_STATE_READY || core->restart != 0U) {
        return LM_CODE_WRONG_STATE;
    }
    if (lm_imu_start(&core->imu, &imu) != 0) {
        return LM_CODE_HARDWARE;
    }
    if (!lm_stream_start(core, settings)) {
        lm_imu_stop(&core->imu);
        return LM_CODE_HARDWARE;
    }
    /* Without a place to keep the epoch the sensor still works: the session number tells a restart too. */
    (void)lm_settings_save(core);
    core->link.range_count = 0;
    lm_core_enter(core, LM_STATE_STREAMING);
    return LM_CODE_OK;
}

/* Ends sampling; the ring keeps the session for those who ask. */
void lm_core_end(struct lm_core *core)
{
    if (core->state == LM_STATE_STREAMING || core->state == LM_STATE_UNLINKED) {
        lm_imu_stop(&core->imu);
        lm_stream_end(core);
        lm_outage_flush(core);
    }
}

/* Off or to the bootloader, when the host has had time to hear of it. */
void lm_core_restart(struct lm_core *core, uint8_t how)
{
    lm_core_end(core);
    core->restart = how;
    core->restart_at = lm_now(core) + RESTART_S * LM_TICK_HZ;
    lm_core_enter(core, LM_STATE_OFF);
}

static void take_samples(struct lm_core *core)
{
    for (uint32_t i = 0; i < BURSTS_A_POLL; i++) {
        const uint8_t n = lm_imu_read(&core->imu);

        if (n == 0U) {
            return;
        }
        lm_stream_lost(core, core->imu.lost, core->imu.is_step);
        core->imu.lost = 0;
        core->imu.is_step = false;
        lm_stream_push(core, core->imu.burst, n, core->imu.left);
    }
}

static bool is_sampling(const struct lm_core *core)
{
    return core->state == LM_STATE_STREAMING || core->state == LM_STATE_UNLINKED;
}

static bool has_been(const struct lm_core *core, uint8_t state, uint32_t seconds, uint32_t now)
{
    return core->state == state && now - core->state_since >= seconds * LM_TICK_HZ;
}

static void watch_time(struct lm_core *core, uint32_t now)
{
    if (has_been(core, LM_STATE_UNLINKED, UNLINKED_STOP_S, now)) {
        lm_core_end(core);
        lm_core_enter(core, LM_STATE_IDLE);
    }
    if (core->restart == 0U && (lm_power_is_empty(&core->power) ||
                                (has_been(core, LM_STATE_IDLE, IDLE_OFF_S, now) && !core->power.is_charging))) {
        lm_core_restart(core, LM_RESTART_OFF);
    }
    if (core->restart != 0U && !lm_before(now, core->restart_at) && core->port->restart != NULL) {
        const uint8_t how = core->restart;

        if (how == LM_RESTART_OFF) {
            lm_imu_sleep(&core->imu);
        }
        core->restart_at = now + RESTART_S * LM_TICK_HZ;
        core->port->restart(core->port->user, how);
    }
    if (core->is_identifying && !lm_before(now, core->identify_until)) {
        core->is_identifying = false;
    }
    /* A tick may be compared over half its range only, 18 h; a time that is long past must not come round. */
    if (now - core->state_since > UNLINKED_STOP_S * 2U * LM_TICK_HZ) {
        core->state_since = now - UNLINKED_STOP_S * LM_TICK_HZ;
    }
    if (core->utc_ms != 0U && now - core->utc_tick >= UNLINKED_STOP_S * LM_TICK_HZ) {
        core->utc_ms += UNLINKED_STOP_S * 1000U;
        core->utc_tick += UNLINKED_STOP_S * LM_TICK_HZ;
    }
}

static uint32_t show(struct lm_core *core, uint32_t now)
{
    const struct lm_led_view view = {
        .state = core->state,
        .role = core->role,
        .is_low = core->power.is_low,
        .is_faulty = core->imu.is_faulty,
        .is_identifying = core->is_identifying,
    };
    uint32_t next;
    const uint8_t colour = lm_led(&view, now - core->state_since, &next);

    if (colour != core->led && core->port->led != NULL) {
        core->port->led(core->port->user, colour);
    }
    core->led = colour;
    return next;
}

uint32_t lm_core_poll(struct lm_core *core)
{
    const uint32_t now = lm_now(core);
    uint32_t wait = POLL_TICKS;

    take_samples(core);
    lm_link_send(core, now);
    const bool has_flash_work = lm_outage_step(core);

    if (!lm_before(now, core->power.due)) {
        lm_power_step(&core->power, core->port, now);
        (void)lm_imu_temperature(&core->imu, &core->temperature_centi_c);
    }
    watch_time(core, now);
    const uint32_t led = show(core, now);

    wait = led < wait ? led : wait;
    if (core->imu.state == LM_IMU_WAKING) {
        wait = LM_TICK_HZ / 200U;
    } else if (core->imu.is_behind) {
        wait = LM_TICK_HZ / 1000U;
    }
    return has_flash_work || core->imu.left > 0U || lm_link_is_busy(core) ? 0U : wait;
}

void lm_core_imu_irq(struct lm_core *core, uint32_t tick)
{
    lm_imu_irq(&core->imu, tick);
}

void lm_core_feed(struct lm_core *core, const int16_t *samples, uint16_t n, uint32_t tick, uint32_t lost)
{
    uint8_t *burst = core->imu.burst;

    if (!is_sampling(core) || n == 0U) {
        return;
    }
    if (core->clock.is_running) {
        lm_clock_count(&core->clock, (uint32_t)n + lost);
    }
    core->clock.is_relocking = core->clock.is_relocking || lost > 0U;
    (void)lm_clock_observe(&core->clock, 0, tick);
    lm_stream_lost(core, lost, false);
    for (uint16_t done = 0; done < n;) {
        const uint16_t rest = (uint16_t)(n - done);
        const uint8_t m = (uint8_t)(rest < LM_IMU_BURST ? rest : LM_IMU_BURST);

        for (uint32_t i = 0; i < 6U * m; i++) {
            lm_put_u16(burst + 2U * i, (uint16_t)samples[6U * done + i]);
        }
        done = (uint16_t)(done + m);
        lm_stream_push(core, burst, m, (uint32_t)(n - done));
    }
}

static uint8_t status_flags(const struct lm_core *core)
{
    return (uint8_t)((core->power.is_charging ? LM_STATUS_CHARGING : 0) |
                     (core->power.is_low ? LM_STATUS_BATTERY_LOW : 0) |
                     (core->imu.is_faulty ? LM_STATUS_IMU_FAULT : 0) |
                     (lm_log_is_faulty(&core->log) ? LM_STATUS_LOG_FAULT : 0) |
                     (core->log.next != core->log.first ? LM_STATUS_LOG_HAS_PAGES : 0) |
                     (core->log.is_erasing ? LM_STATUS_LOG_ERASING : 0) |
                     (core->utc_ms != 0U ? LM_STATUS_UTC_KNOWN : 0));
}

void lm_core_status(const struct lm_core *core, uint8_t out[LM_STATUS_BYTES])
{
    out[0] = core->state;
    out[1] = core->role;
    out[2] = core->power.percent;
    out[3] = status_flags(core);
    lm_put_u16(out + 4, core->power.millivolt);
    lm_put_u16(out + 6, (uint16_t)core->temperature_centi_c);
    lm_put_u32(out + 8, core->stream.session);
    lm_put_u32(out + 12, core->stream.next_index);
    lm_put_u32(out + 16, lm_stream_oldest(core));
    lm_put_u32(out + 20, core->stream.dropped);
}

void lm_core_info(const struct lm_core *core, uint8_t out[LM_INFO_BYTES])
{
    memset(out, 0, LM_INFO_BYTES);
    out[0] = LM_VERSION;
    out[1] = core->board;
    out[2] = LM_FIRMWARE_MAJOR;
    out[3] = LM_FIRMWARE_MINOR;
    out[4] = LM_FIRMWARE_PATCH;
    out[5] = LM_FRAME_MAX_SAMPLES;
    for (uint32_t i = 0; i < 4U; i++) {
        lm_put_u16(out + 6 + 2U * i, RATES_HZ[i]);
        out[14 + i] = ACC_RANGES_G[i];
        lm_put_u16(out + 18 + 2U * i, GYR_RANGES_DPS[i]);
    }
    lm_put_u16(out + 26, core->boots);
    lm_put_u32(out + 28, core->ring.size);
    lm_put_u32(out + 32, core->log.pages);
    memcpy(out + 36, core->serial, sizeof core->serial);
    memcpy(out + 44, core->calibration, LM_CALIBRATION_BYTES);
}

void lm_core_advert(const struct lm_core *core, uint8_t out[LM_ADVERT_BYTES])
{
    out[0] = LM_VERSION;
    out[1] = core->role;
    out[2] = core->power.percent;
    out[3] = core->state;
    out[4] = core->serial[0];
    out[5] = core->serial[1];
}
