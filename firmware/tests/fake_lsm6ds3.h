/* The LSM6DS3TR-C at its registers, for tests: samples at its own rate from a function of the sample's number, into
 * a FIFO of 2048 words with threshold, overrun, pattern and bypass, and it can fail in the ways that were seen. */
#ifndef FAKE_LSM6DS3_H
#define FAKE_LSM6DS3_H

#include <stdbool.h>
#include <stdint.h>

#define FAKE_WORDS 2048

struct fake_imu {
    uint8_t regs[128];
    int16_t fifo[FAKE_WORDS];
    uint32_t head;              /* words ever stored */
    uint32_t tail;              /* words ever taken or overwritten */
    uint64_t time_q16;          /* crystal ticks since power-on of the world, 1/65536 */
    uint64_t next_sample_q16;
    uint32_t period_q16;        /* true period of the chip's own clock; 0 takes nominal and `ppm` */
    int32_t ppm;                /* how much faster than nominal the chip's clock is */
    uint32_t sample;            /* number of the next sample since power-on */
    uint32_t irq_tick;          /* when INT1 last rose */
    uint32_t irq_count;         /* how often it rose */
    uint32_t irq_delay;         /* ticks by which `irq_tick` is late */
    uint32_t wake_after;        /* reads of WHO_AM_I that are answered wrongly */
    uint32_t fail_reads;        /* transfers that fail from now on */
    uint32_t fail_data_after;   /* let so many data reads succeed, then fail one half way; 0 for never */
    uint32_t overwritten;       /* samples that were overwritten unread */
    bool is_powered;
    bool is_line_high;
    bool is_overrun;
    bool is_locked;             /* says full and empty at once until it has been in bypass for 150 ms */
    bool drops_irq;
    bool needs_power_cycle;     /* a lock-up that bypass does not cure */
    uint64_t bypass_since_q16;
};

void fake_imu_init(struct fake_imu *imu, uint32_t tick);
void fake_imu_advance(struct fake_imu *imu, uint32_t ticks);
void fake_imu_power(struct fake_imu *imu, bool is_on);
int fake_imu_read(struct fake_imu *imu, uint8_t reg, uint8_t *bytes, uint16_t n);
int fake_imu_write(struct fake_imu *imu, uint8_t reg, const uint8_t *bytes, uint16_t n);

/* Counts of sample k: gyr x, y carry its number, so that a test sees which one it holds. */
void fake_imu_sample(uint32_t k, int16_t counts[6]);

#endif
