/* Battery: voltage to percent of a lithium-polymer cell, smoothed, with a low mark that does not flicker. */
#ifndef LM_POWER_H
#define LM_POWER_H

#include <stdbool.h>
#include <stdint.h>

#include "lm_port.h"

/* Below this the cell is empty: the sensor stops before its supply does. */
#define LM_POWER_EMPTY_MV 3300U
#define LM_POWER_LOW_PERCENT 15U

struct lm_power {
    uint32_t due;
    uint16_t millivolt; /* smoothed; 0 while unknown */
    uint8_t percent;    /* 255 while unknown */
    bool is_charging;
    bool is_low;
};

void lm_power_init(struct lm_power *power, uint32_t now);

/* Measures when it is time to. */
void lm_power_step(struct lm_power *power, const struct lm_port *port, uint32_t now);

bool lm_power_is_empty(const struct lm_power *power);

uint8_t lm_power_percent(uint16_t millivolt);

#endif
