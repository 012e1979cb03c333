#include "fake_lsm6ds3.h"

#include <string.h>

#define WORDS_A_SAMPLE 6U
#define UNLOCK_Q16 ((uint64_t)150 * 32768 / 1000 << 16)

static uint32_t rate_of(const struct fake_imu *imu)
{
    static const uint16_t RATES[16] = {0, 13, 26, 52, 104, 208, 416};

    return RATES[imu->regs[0x10] >> 4];
}

static bool is_continuous(const struct fake_imu *imu)
{
    return (imu->regs[0x0A] & 7U) == 6U && imu->regs[0x0A] >> 3 == imu->regs[0x10] >> 4 && imu->regs[0x08] == 0x09;
}

static uint32_t level(const struct fake_imu *imu)
{
    return imu->head - imu->tail;
}

static uint32_t threshold(const struct fake_imu *imu)
{
    return imu->regs[0x06] | (imu->regs[0x07] & 7U) << 8;
}

static uint32_t period_q16(const struct fake_imu *imu)
{
    const uint32_t rate = rate_of(imu);

    if (imu->period_q16 != 0U) {
        return imu->period_q16;
    }
    return (uint32_t)(((uint64_t)32768 << 16) * 1000000U / ((uint64_t)rate * (uint64_t)(1000000 + imu->ppm)));
}

void fake_imu_init(struct fake_imu *imu, uint32_t tick)
{
    memset(imu, 0, sizeof *imu);
    imu->time_q16 = (uint64_t)tick << 16;
    imu->regs[0x0F] = 0x6A;
}

void fake_imu_power(struct fake_imu *imu, bool is_on)
{
    const uint8_t identity = 0x6A;

    if (is_on && !imu->is_powered) {
        memset(imu->regs, 0, sizeof imu->regs);
        imu->regs[0x0F] = identity;
        imu->head = imu->tail = 0;
        imu->is_locked = imu->is_overrun = imu->is_line_high = imu->needs_power_cycle = false;
    }
    imu->is_powered = is_on;
}

void fake_imu_sample(uint32_t k, int16_t counts[6])
{
    counts[0] = (int16_t)(k & 0x7FFFU);
    counts[1] = (int16_t)(k >> 15 & 0x7FFFU);
    counts[2] = (int16_t)(k * 7U % 2001U) - 1000;
    counts[3] = (int16_t)(k * 13U % 4001U) - 2000;
    counts[4] = (int16_t)-(int16_t)(k & 0x3FFFU);
    counts[5] = 2048;
}

static void watch_line(struct fake_imu *imu)
{
    const bool is_high = (imu->regs[0x0D] & 8U) != 0U && threshold(imu) > 0U && level(imu) >= threshold(imu);

    if (is_high && !imu->is_line_high && !imu->drops_irq && !imu->is_locked) {
        imu->irq_tick = (uint32_t)(imu->next_sample_q16 >> 16) + imu->irq_delay;
        imu->irq_count++;
    }
    imu->is_line_high = is_high;
}

static void store(struct fake_imu *imu)
{
    int16_t counts[6];

    fake_imu_sample(imu->sample, counts);
    imu->sample++;
    if (!is_continuous(imu) || imu->is_locked) {
        return;
    }
    for (uint32_t i = 0; i < WORDS_A_SAMPLE; i++) {
        imu->fifo[imu->head % FAKE_WORDS] = counts[i];
        imu->head++;
        if (level(imu) > FAKE_WORDS - 1U) {
            imu->tail++;
            imu->is_overrun = true;
        }
    }
    watch_line(imu);
}

void fake_imu_advance(struct fake_imu *imu, uint32_t ticks)
{
    const uint64_t end = imu->time_q16 + ((uint64_t)ticks << 16);

    while (imu->is_powered && rate_of(imu) != 0U && imu->next_sample_q16 <= end) {
        store(imu);
        imu->next_sample_q16 += period_q16(imu);
    }
    imu->time_q16 = end;
    if ((imu->regs[0x0A] & 7U) == 0U && imu->is_locked && !imu->needs_power_cycle &&
        end - imu->bypass_since_q16 >= UNLOCK_Q16) {
        imu->is_locked = false;
    }
}

static uint8_t take_byte(struct fake_imu *imu, uint32_t i)
{
    if (imu->is_locked || level(imu) == 0U) {
        return 0;
    }
    const uint16_t word = (uint16_t)imu->fifo[imu->tail % FAKE_WORDS];

    if (i % 2U == 0U) {
        return (uint8_t)(word & 0xFFU);
    }
    imu->tail++;
    return (uint8_t)(word >> 8);
}

static void read_status(struct fake_imu *imu)
{
    const uint32_t n = imu->is_locked ? 0U : level(imu);
    uint32_t flags = n == 0U ? 0x10U : 0U;

    flags |= n >= threshold(imu) ? 0x80U : 0U;
    flags |= imu->is_overrun ? 0x60U : 0U;
    flags = imu->is_locked ? 0xE0U : flags;
    imu->regs[0x3A] = (uint8_t)(n & 0xFFU);
    imu->regs[0x3B] = (uint8_t)(flags | n >> 8);
    imu->regs[0x3C] = (uint8_t)(imu->tail % WORDS_A_SAMPLE);
    imu->regs[0x3D] = 0;
}

int fake_imu_read(struct fake_imu *imu, uint8_t reg, uint8_t *bytes, uint16_t n)
{
    if (!imu->is_powered) {
        return -1;
    }
    if (imu->fail_reads > 0U) {
        imu->fail_reads--;
        return -1;
    }
    if (reg == 0x3E) {
        const bool fails = imu->fail_data_after == 1U;
        const uint16_t end = fails ? (uint16_t)(n / 2U) : n;

        imu->fail_data_after -= imu->fail_data_after > 0U ? 1U : 0U;
        for (uint16_t i = 0; i < end; i++) {
            bytes[i] = take_byte(imu, i);
        }
        imu->is_overrun = false;
        watch_line(imu);
        return fails ? -1 : 0;
    }
    read_status(imu);
    memcpy(bytes, imu->regs + reg, n);
    if (reg == 0x0F && imu->wake_after > 0U) {
        imu->wake_after--;
        bytes[0] = 0;
    }
    return 0;
}

int fake_imu_write(struct fake_imu *imu, uint8_t reg, const uint8_t *bytes, uint16_t n)
{
    const bool was_off = rate_of(imu) == 0U;

    if (!imu->is_powered) {
        return -1;
    }
    memcpy(imu->regs + reg, bytes, n);
    if (was_off && rate_of(imu) != 0U) {
        imu->next_sample_q16 = imu->time_q16 + period_q16(imu);
    }
    if ((imu->regs[0x0A] & 7U) == 0U) {
        imu->head = imu->tail = 0;
        imu->is_overrun = imu->is_line_high = false;
        if (reg <= 0x0A && reg + n > 0x0A) {
            imu->bypass_since_q16 = imu->time_q16;
        }
    }
    return 0;
}
