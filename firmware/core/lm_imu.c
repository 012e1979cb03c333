#include "lm_imu.h"

#include <stddef.h>

#include "lm_bytes.h"
#include "lm_protocol.h"

enum reg {
    FIFO_CTRL1 = 0x06,
    FIFO_CTRL5 = 0x0A,
    INT1_CTRL = 0x0D,
    WHO_AM_I = 0x0F,
    CTRL1_XL = 0x10,
    CTRL3_C = 0x12,
    CTRL6_C = 0x15,
    OUT_TEMP_L = 0x20,
    FIFO_STATUS1 = 0x3A,
    FIFO_DATA_OUT_L = 0x3E,
    TAP_CFG = 0x58,
    WAKE_UP_THS = 0x5B,
    MD1_CFG = 0x5E
};

#define IDENTITY 0x6A
#define WORDS 6U          /* 16-bit words a sample */
#define SETTLE_MS 300U    /* the gyroscope needs 80 ms; the sample clock learns meanwhile */
#define SUPPLY_MS 5U
#define RETRY_MS 5U
#define TRIES_BEFORE_CYCLE 10U
#define BYPASS_MS 200U    /* what cured lock-ups that others have reported */
#define BYPASSES_BEFORE_CYCLE 3U
#define PERIODS_OF_SILENCE 3U
#define POSTPONE_MOST 3U

#define STATUS_OVERRUN 0x40U
#define STATUS_FULL 0x20U

static uint32_t ms(uint32_t n)
{
    return n * LM_TICK_HZ / 1000U;
}

static int write_reg(struct lm_imu *imu, uint8_t reg, uint8_t value)
{
    return imu->port->i2c_write(imu->port->user, reg, &value, 1);
}

/* Code of a range in the FS bits, or -1. The chip counts its ranges in an order of its own. */
static int acc_code(uint8_t range_g)
{
    switch (range_g) {
    case 2: return 0;
    case 4: return 2;
    case 8: return 3;
    case 16: return 1;
    default: return -1;
    }
}

static int gyr_code(uint16_t range_dps)
{
    switch (range_dps) {
    case 250: return 0;
    case 500: return 1;
    case 1000: return 2;
    case 2000: return 3;
    default: return -1;
    }
}

static int rate_code(uint16_t rate_hz)
{
    switch (rate_hz) {
    case 52: return 3;
    case 104: return 4;
    case 208: return 5;
    case 416: return 6;
    default: return -1;
    }
}

static void wake(struct lm_imu *imu, uint32_t now)
{
    if (imu->port->imu_power != NULL) {
        imu->port->imu_power(imu->port->user, true);
    }
    imu->state = LM_IMU_WAKING;
    imu->tries = 0;
    imu->due = now + ms(SUPPLY_MS);
}

static void cycle_power(struct lm_imu *imu, uint32_t now)
{
    if (imu->port->imu_power != NULL) {
        imu->port->imu_power(imu->port->user, false);
    }
    imu->state = LM_IMU_WAKING;
    imu->tries = TRIES_BEFORE_CYCLE;
    imu->due = now + ms(BYPASS_MS);
    imu->is_faulty = true;
}

void lm_imu_init(struct lm_imu *imu, const struct lm_port *port, struct lm_clock *clock)
{
    *imu = (struct lm_imu){.port = port, .clock = clock, .state = LM_IMU_ABSENT};
    if (port->i2c_read != NULL) {
        wake(imu, port->now(port->user));
    }
}

static uint8_t fifo_mode(const struct lm_imu *imu)
{
    return (uint8_t)(rate_code(imu->settings.rate_hz) << 3 | 6); /* continuous, at the rate of the sensors */
}

/* Writes every register that the stream depends on, and empties the FIFO. */
static int configure(struct lm_imu *imu)
{
    const struct lm_imu_settings *s = &imu->settings;
    const uint8_t odr = (uint8_t)(rate_code(s->rate_hz) << 4);
    const uint16_t words = (uint16_t)(s->watermark * WORDS);
    /* Accelerometer low-pass at a quarter of the rate: landings hold power far above it. */
    const uint8_t sensors[2] = {(uint8_t)(odr | acc_code(s->acc_range_g) << 2 | 2),
                                (uint8_t)(odr | gyr_code(s->gyr_range_dps) << 2)};
    /* Threshold, then both sensors into the FIFO without decimation, no third and fourth set. */
    const uint8_t fifo[4] = {(uint8_t)(words & 0xFFU), (uint8_t)(words >> 8), 0x09, 0x00};

    int bad = write_reg(imu, FIFO_CTRL5, 0);

    bad |= write_reg(imu, CTRL3_C, 0x44); /* whole words only, addresses count up */
    bad |= imu->port->i2c_write(imu->port->user, FIFO_CTRL1, fifo, sizeof fifo);
    bad |= write_reg(imu, INT1_CTRL, 0x08); /* watermark on INT1 */
    bad |= imu->port->i2c_write(imu->port->user, CTRL1_XL, sensors, sizeof sensors);
    bad |= write_reg(imu, FIFO_CTRL5, fifo_mode(imu));
    return bad == 0 ? 0 : -1;
}

/* The gyroscope's first samples after power-on are nothing. */
static void settle(struct lm_imu *imu)
{
    imu->settling = (uint32_t)imu->settings.rate_hz * SETTLE_MS / 1000U;
}

static void run(struct lm_imu *imu, uint32_t now)
{
    imu->state = LM_IMU_RUNNING;
    imu->served = now;
    imu->left = 0;
    imu->has_irq = false;
    imu->is_behind = false;
    imu->has_overrun = false;
    imu->postponed = 0;
}

int lm_imu_start(struct lm_imu *imu, const struct lm_imu_settings *settings)
{
    if (rate_code(settings->rate_hz) < 0 || acc_code(settings->acc_range_g) < 0 ||
        gyr_code(settings->gyr_range_dps) < 0) {
        return -1;
    }
    imu->settings = *settings;
    lm_clock_start(imu->clock, settings->rate_hz);
    if (imu->state == LM_IMU_ABSENT) {
        return 0;
    }
    if (imu->state != LM_IMU_STANDBY || configure(imu) != 0) {
        return -1;
    }
    imu->is_wanted = true;
    imu->lost = 0;
    imu->is_step = false;
    imu->recoveries = 0;
    imu->is_live = false;
    settle(imu);
    run(imu, imu->port->now(imu->port->user));
    return 0;
}

void lm_imu_stop(struct lm_imu *imu)
{
    static const uint8_t OFF[2] = {0, 0};

    imu->is_wanted = false;
    if (imu->state == LM_IMU_RUNNING || imu->state == LM_IMU_RECOVERING) {
        (void)write_reg(imu, FIFO_CTRL5, 0);
        (void)imu->port->i2c_write(imu->port->user, CTRL1_XL, OFF, sizeof OFF);
        imu->state = LM_IMU_STANDBY;
    }
}

void lm_imu_sleep(struct lm_imu *imu)
{
    if (imu->state == LM_IMU_ABSENT) {
        return;
    }
    lm_imu_stop(imu);
    (void)write_reg(imu, INT1_CTRL, 0);
    (void)write_reg(imu, CTRL6_C, 0x10);     /* accelerometer without its high-performance mode */
    (void)write_reg(imu, CTRL1_XL, 0x10);    /* 12.5 Hz, 2 g */
    (void)write_reg(imu, WAKE_UP_THS, 0x02); /* 2/64 of 2 g: picked up, not shaken by traffic */
    (void)write_reg(imu, TAP_CFG, 0x80);     /* interrupts on */
    (void)write_reg(imu, MD1_CFG, 0x20);     /* wake-up on INT1 */
}

void lm_imu_irq(struct lm_imu *imu, uint32_t tick)
{
    imu->irq_tick = tick;
    imu->has_irq = true;
}

static void step_waking(struct lm_imu *imu, uint32_t now)
{
    uint8_t identity = 0;

    if (imu->tries == TRIES_BEFORE_CYCLE) {
        wake(imu, now);
        return;
    }
    if (imu->port->i2c_read(imu->port->user, WHO_AM_I, &identity, 1) == 0 && identity == IDENTITY) {
        imu->state = LM_IMU_STANDBY;
        if (!imu->is_wanted) {
            imu->is_faulty = false;
        } else if (configure(imu) == 0) {
            settle(imu);
            run(imu, now);
        } else {
            cycle_power(imu, now);
        }
        return;
    }
    imu->tries++;
    imu->due = now + ms(RETRY_MS);
    if (imu->tries == TRIES_BEFORE_CYCLE) {
        cycle_power(imu, now);
    }
}

/* The FIFO gives nothing: held in bypass it lets go of a lock-up; after some of those only its supply is left. */
static void recover(struct lm_imu *imu, uint32_t now)
{
    imu->recoveries++;
    imu->recoveries_total++;
    imu->left = 0;
    imu->has_irq = false;
    if (imu->recoveries > BYPASSES_BEFORE_CYCLE || write_reg(imu, FIFO_CTRL5, 0) != 0) {
        cycle_power(imu, now);
        return;
    }
    imu->state = LM_IMU_RECOVERING;
    imu->due = now + ms(BYPASS_MS);
}

static uint32_t silence(const struct lm_imu *imu)
{
    const uint32_t batch = (uint32_t)(((uint64_t)imu->clock->period_q16 * imu->settings.watermark) >> 16);

    return PERIODS_OF_SILENCE * batch;
}

/* Words that must go before the next whole sample: the FIFO's phase is lost when it overruns. */
static uint16_t skip_to_sample(struct lm_imu *imu, uint16_t words, uint16_t pattern)
{
    const uint16_t skip = (uint16_t)((WORDS - pattern % WORDS) % WORDS);

    if (skip == 0U || skip > words) {
        return 0;
    }
    return imu->port->i2c_read(imu->port->user, FIFO_DATA_OUT_L, imu->burst, (uint16_t)(2U * skip)) == 0
               ? skip
               : words; /* read again later, when the state is known */
}

static void set_clock(struct lm_imu *imu, uint32_t before, uint32_t after)
{
    bool is_step = false;
    /* After an overrun the interrupt tells of a sample that has been overwritten. */
    const bool has_irq = imu->has_irq && !imu->has_overrun && imu->left >= imu->settings.watermark;

    imu->has_irq = false;
    if (!has_irq && imu->clock->is_running && imu->postponed < POSTPONE_MOST &&
        lm_clock_is_unsure(imu->clock, imu->left, before, imu->has_overrun)) {
        imu->postponed++;
        imu->is_behind = true;
        imu->left = 0;
        return;
    }
    imu->postponed = 0;
    if (imu->clock->is_running) {
        lm_clock_count(imu->clock, imu->left);
    } else if (!has_irq) {
        (void)lm_clock_observe(imu->clock, 0, before);
    }
    if (has_irq) {
        imu->lost += lm_clock_observe(imu->clock, (uint32_t)(imu->left - imu->settings.watermark), imu->irq_tick);
    }
    imu->lost += lm_clock_bound(imu->clock, before, after, imu->has_overrun, &is_step);
    imu->has_overrun = false;
    imu->is_step = imu->is_step || is_step;
}

/* Reads how much there is, and sets the sample clock by it. */
static void take_stock(struct lm_imu *imu)
{
    uint8_t status[4];
    const uint32_t before = imu->port->now(imu->port->user);

    if (imu->port->i2c_read(imu->port->user, FIFO_STATUS1, status, sizeof status) != 0) {
        imu->is_behind = true; /* tried again at once: a bus may fail now and then */
        if (before - imu->served > silence(imu)) {
            recover(imu, before);
        }
        return;
    }
    const uint32_t after = imu->port->now(imu->port->user);
    uint16_t words = (uint16_t)(status[0] | (status[1] & 7U) << 8);
    const bool is_full = (status[1] & (STATUS_OVERRUN | STATUS_FULL)) != 0U;

    /* An empty FIFO that says it is full has either locked up or counted once round; both need the same cure. */
    if (words == 0U && (is_full || before - imu->served > silence(imu))) {
        recover(imu, before);
        return;
    }
    words = (uint16_t)(words - skip_to_sample(imu, words, lm_get_u16(status + 2)));
    imu->left = (uint16_t)(words / WORDS);
    imu->is_behind = false;
    if (imu->left == 0U) {
        if (before - imu->served > silence(imu)) {
            recover(imu, before);
        }
        return;
    }
    imu->served = before;
    imu->recoveries = 0;
    imu->is_faulty = false;
    imu->is_behind = imu->left >= 2U * imu->settings.watermark;
    imu->has_overrun = imu->has_overrun || is_full;
    set_clock(imu, before, after);
}

static uint8_t read_burst(struct lm_imu *imu)
{
    const uint16_t n = imu->left < LM_IMU_BURST ? imu->left : LM_IMU_BURST;

    if (imu->port->i2c_read(imu->port->user, FIFO_DATA_OUT_L, imu->burst, (uint16_t)(n * 12U)) != 0) {
        /* How far the chip got is unknown: the next status tells, and the clock what is missing. */
        lm_clock_uncount(imu->clock, imu->left);
        imu->left = 0;
        imu->is_behind = true;
        return 0;
    }
    imu->left = (uint16_t)(imu->left - n);
    if (imu->settling > 0U) {
        imu->settling -= imu->settling < n ? imu->settling : n;
        imu->lost = imu->is_live ? imu->lost + n : 0U;
        imu->is_step = imu->is_live;
        return 0;
    }
    imu->is_live = true;
    return (uint8_t)n;
}

uint8_t lm_imu_read(struct lm_imu *imu)
{
    const uint32_t now = imu->port->now(imu->port->user);
    const bool is_due = !lm_before(now, imu->due);

    if (imu->state == LM_IMU_WAKING && is_due) {
        step_waking(imu, now);
    } else if (imu->state == LM_IMU_RECOVERING && is_due) {
        if (write_reg(imu, FIFO_CTRL5, fifo_mode(imu)) != 0) {
            recover(imu, now);
        } else {
            run(imu, now);
        }
    } else if (imu->state == LM_IMU_RUNNING) {
        if (imu->left == 0U && (imu->has_irq || imu->is_behind || now - imu->served > silence(imu))) {
            take_stock(imu);
        }
        if (imu->state == LM_IMU_RUNNING && imu->left > 0U) {
            return read_burst(imu);
        }
    }
    return 0;
}

bool lm_imu_temperature(struct lm_imu *imu, int16_t *centi_c)
{
    uint8_t raw[2];

    if (imu->state != LM_IMU_RUNNING ||
        imu->port->i2c_read(imu->port->user, OUT_TEMP_L, raw, sizeof raw) != 0) {
        return false;
    }
    *centi_c = (int16_t)(2500 + (int16_t)lm_get_u16(raw) * 100 / 256);
    return true;
}
