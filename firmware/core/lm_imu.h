/* LSM6DS3TR-C behind I2C: its 4 kB FIFO read in bursts, with what its makers leave to the reader: an untagged
 * stream that must be kept in phase, a FIFO that may lock up, a supply that comes up late. Register names and
 * bits: ST data sheet DocID030071 and application note AN5130. */
#ifndef LM_IMU_H
#define LM_IMU_H

#include <stdbool.h>
#include <stdint.h>

#include "lm_clock.h"
#include "lm_port.h"

#define LM_IMU_BURST 20

enum lm_imu_state {
    LM_IMU_ABSENT = 0,     /* no I2C: samples come from outside */
    LM_IMU_WAKING = 1,     /* supply on, not heard from yet */
    LM_IMU_STANDBY = 2,    /* heard from, powered down */
    LM_IMU_RUNNING = 3,
    LM_IMU_RECOVERING = 4  /* FIFO locked up, held in bypass */
};

struct lm_imu_settings {
    uint16_t rate_hz;
    uint16_t gyr_range_dps;
    uint8_t acc_range_g;
    uint8_t watermark; /* samples a batch */
};

struct lm_imu {
    const struct lm_port *port;
    struct lm_clock *clock;
    struct lm_imu_settings settings;
    uint32_t due;         /* tick of the next step while waking or recovering */
    uint32_t served;      /* tick of the last read that found samples */
    uint32_t irq_tick;
    uint32_t settling;    /* samples still to be thrown away after the start */
    uint32_t lost;        /* samples lost before the next burst */
    uint16_t left;        /* whole samples known to be in the FIFO */
    uint16_t tries;
    uint16_t recoveries;  /* in a row, without a sample between */
    uint16_t recoveries_total;
    uint8_t postponed;    /* times in a row that the count of lost samples was put off */
    uint8_t state;
    bool is_wanted;       /* started and not stopped */
    bool is_live;         /* a burst has been given out since the start */
    bool has_overrun;     /* said so since samples were last counted */
    bool is_behind;       /* so much was waiting that the interrupt line may not have fallen */
    bool has_irq;
    bool is_faulty;
    bool is_step;         /* the time line jumped before the next burst */
    uint8_t burst[LM_IMU_BURST * 12];
};

void lm_imu_init(struct lm_imu *imu, const struct lm_port *port, struct lm_clock *clock);

/* 0, or -1 for settings that the chip does not have or a chip that does not answer. */
int lm_imu_start(struct lm_imu *imu, const struct lm_imu_settings *settings);
void lm_imu_stop(struct lm_imu *imu);

/* Wake-on-motion by INT1 at a few microampere; the way out is a restart. */
void lm_imu_sleep(struct lm_imu *imu);

/* The watermark interrupt came at this tick. Call it from the thread that polls, not from the interrupt. */
void lm_imu_irq(struct lm_imu *imu, uint32_t tick);

/* Moves on whatever is due (waking, recovering, watchdog) and reads at most one burst. Returns the number of
 * samples in `burst`, as the chip sends them: gyr x y z, acc x y z, i16 little-endian. */
uint8_t lm_imu_read(struct lm_imu *imu);

/* Chip temperature in 0.01 degrees Celsius; false if it cannot be read. */
bool lm_imu_temperature(struct lm_imu *imu, int16_t *centi_c);

#endif
