/* What the LED says; docs/build-a-sensor.md tells the wearer. A pure function of state and time. */
#ifndef LM_LED_H
#define LM_LED_H

#include <stdbool.h>
#include <stdint.h>

#define LM_LED_RED 1
#define LM_LED_GREEN 2
#define LM_LED_BLUE 4

struct lm_led_view {
    uint8_t state; /* LM_STATE_ */
    uint8_t role;  /* LM_ROLE_ */
    bool is_low;
    bool is_faulty;
    bool is_identifying;
};

/* Colour that stands for a role: pelvis blue, left thigh magenta, right thigh cyan, trunk amber, none white. */
uint8_t lm_led_role(uint8_t role);

/* Colour at `elapsed` ticks of the pattern's clock; `next` receives the ticks until it may change. */
uint8_t lm_led(const struct lm_led_view *view, uint32_t elapsed, uint32_t *next);

#endif
