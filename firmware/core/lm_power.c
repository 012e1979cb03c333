#include "lm_power.h"

#include <stddef.h>

#include "lm_bytes.h"
#include "lm_protocol.h"

#define EVERY_S 10U
#define NO_LONGER_LOW_PERCENT 20U

/* A usual curve of a small cell under a load of a few mA; cells differ by some per cent of charge. */
static const struct {
    uint16_t millivolt;
    uint8_t percent;
} CURVE[] = {{3300, 0}, {3600, 8}, {3700, 20}, {3750, 35}, {3800, 48}, {3900, 66}, {4000, 80}, {4100, 92}, {4180, 100}};

#define POINTS (sizeof CURVE / sizeof CURVE[0])

uint8_t lm_power_percent(uint16_t millivolt)
{
    if (millivolt <= CURVE[0].millivolt) {
        return 0;
    }
    for (uint32_t i = 1; i < POINTS; i++) {
        if (millivolt < CURVE[i].millivolt) {
            const uint32_t run = (uint32_t)CURVE[i].millivolt - CURVE[i - 1].millivolt;
            const uint32_t rise = (uint32_t)CURVE[i].percent - CURVE[i - 1].percent;

            return (uint8_t)(CURVE[i - 1].percent + rise * ((uint32_t)millivolt - CURVE[i - 1].millivolt) / run);
        }
    }
    return 100;
}

void lm_power_init(struct lm_power *power, uint32_t now)
{
    *power = (struct lm_power){.due = now, .percent = 255};
}

void lm_power_step(struct lm_power *power, const struct lm_port *port, uint32_t now)
{
    uint16_t millivolt = 0;
    bool is_charging = false;

    if (port->battery == NULL || lm_before(now, power->due)) {
        return;
    }
    power->due = now + EVERY_S * LM_TICK_HZ;
    if (port->battery(port->user, &millivolt, &is_charging) != 0 || millivolt == 0U) {
        return;
    }
    power->is_charging = is_charging;
    power->millivolt =
        power->millivolt == 0U ? millivolt : (uint16_t)(((uint32_t)power->millivolt * 3U + millivolt + 2U) / 4U);
    power->percent = lm_power_percent(power->millivolt);
    if (power->percent < LM_POWER_LOW_PERCENT) {
        power->is_low = true;
    } else if (power->percent >= NO_LONGER_LOW_PERCENT) {
        power->is_low = false;
    }
}

bool lm_power_is_empty(const struct lm_power *power)
{
    return power->millivolt != 0U && power->millivolt < LM_POWER_EMPTY_MV && !power->is_charging;
}
