#include "lm_led.h"

#include "lm_protocol.h"

#define MS(n) ((n) * 32768U / 1000U)
#define WHITE (LM_LED_RED | LM_LED_GREEN | LM_LED_BLUE)
#define AMBER (LM_LED_RED | LM_LED_GREEN)

/* `count` flashes of `flash` ticks with as long between them, every `period` ticks. */
struct pattern {
    uint32_t period;
    uint32_t flash;
    uint32_t count;
    uint8_t colour;
};

uint8_t lm_led_role(uint8_t role)
{
    switch (role) {
    case LM_ROLE_PELVIS: return LM_LED_BLUE;
    case LM_ROLE_LEFT_THIGH: return LM_LED_RED | LM_LED_BLUE;
    case LM_ROLE_RIGHT_THIGH: return LM_LED_GREEN | LM_LED_BLUE;
    case LM_ROLE_TRUNK: return AMBER;
    default: return WHITE;
    }
}

static struct pattern choose(const struct lm_led_view *view)
{
    if (view->is_identifying) {
        return (struct pattern){MS(500), MS(250), 1, lm_led_role(view->role)};
    }
    if (view->is_faulty) {
        return (struct pattern){MS(1000), MS(500), 1, LM_LED_RED};
    }
    if (view->is_low && view->state != LM_STATE_OFF) {
        return (struct pattern){MS(5000), MS(60), 2, LM_LED_RED};
    }
    switch (view->state) {
    case LM_STATE_IDLE: return (struct pattern){MS(1000), MS(30), 1, lm_led_role(view->role)};
    case LM_STATE_READY: return (struct pattern){MS(3000), MS(30), 1, LM_LED_GREEN};
    case LM_STATE_STREAMING: return (struct pattern){MS(5000), MS(20), 1, LM_LED_GREEN};
    case LM_STATE_UNLINKED: return (struct pattern){MS(1000), MS(30), 1, AMBER};
    default: return (struct pattern){MS(1000), 0, 0, 0};
    }
}

uint8_t lm_led(const struct lm_led_view *view, uint32_t elapsed, uint32_t *next)
{
    const struct pattern p = choose(view);
    const uint32_t at = elapsed % p.period;
    const uint32_t busy = p.flash * (2U * p.count - (p.count > 0U ? 1U : 0U));

    if (at >= busy) {
        *next = p.period - at;
        return 0;
    }
    *next = p.flash - at % p.flash;
    return at / p.flash % 2U == 0U ? p.colour : 0;
}
