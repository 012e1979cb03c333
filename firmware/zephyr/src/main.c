/* The thread that owns the core: takes events and ticks to it, and sleeps for as long as it allows. */
#include <zephyr/kernel.h>
#include <zephyr/random/random.h>

#include "app.h"

#define RING_BYTES 126720U
#define EVENTS 16

BUILD_ASSERT(CONFIG_SYS_CLOCK_HW_CYCLES_PER_SEC == LM_TICK_HZ || IS_ENABLED(CONFIG_BOARD_NATIVE_SIM),
             "the cycle counter must be the 32768 Hz crystal");

K_MSGQ_DEFINE(events, sizeof(struct app_event), EVENTS, 4);
K_SEM_DEFINE(wake, 0, 1);

static struct lm_core core;
static uint8_t ring[RING_BYTES] __aligned(4);
static struct lm_port port;
static atomic_t irq_tick;
static atomic_t has_irq;

static uint32_t now(void *user)
{
    return k_cycle_get_32();
}

static uint32_t random_word(void *user)
{
    return sys_rand32_get();
}

bool app_post(const struct app_event *event)
{
    const bool is_taken = k_msgq_put(&events, event, K_NO_WAIT) == 0;

    k_sem_give(&wake);
    return is_taken;
}

void app_wake(void)
{
    k_sem_give(&wake);
}

void app_imu_interrupt(void)
{
    atomic_set(&irq_tick, (atomic_val_t)k_cycle_get_32());
    atomic_set(&has_irq, 1);
    k_sem_give(&wake);
}

/* False if the core has no room for its answer yet: the event stays first in the queue, and the radio refuses more. */
static bool take(const struct app_event *event)
{
    switch (event->kind) {
    case APP_CONNECTED: lm_core_connected(&core); break;
    case APP_MTU: lm_core_mtu(&core, event->value); break;
    case APP_SUBSCRIBED: lm_core_subscribed(&core, event->channel, event->value != 0U); break;
    case APP_CONTROL: return lm_core_control(&core, event->bytes, event->value) != LM_ATT_BUSY;
    default: (void)lm_core_clock_request(&core, event->bytes, event->value, event->tick); break;
    }
    return true;
}

static void take_events(void)
{
    static struct app_event event;

    while (k_msgq_peek(&events, &event) == 0 && take(&event)) {
        (void)k_msgq_get(&events, &event, K_NO_WAIT);
    }
}

int main(void)
{
    struct lm_config config = {.port = &port, .ring = ring, .ring_bytes = sizeof ring};

    port.now = now;
    port.random = random_word;
    port.notify = radio_notify;
    port.connection = radio_connection;
    if (board_init(&port, config.serial, &config.flash_bytes, &config.board) != 0 ||
        radio_init(config.serial) != 0 || !lm_core_init(&core, &config)) {
        return -1;
    }
    for (;;) {
        take_events();
        if (radio_take_end()) {
            k_msgq_purge(&events); /* what the host that is gone had still written */
            lm_core_disconnected(&core);
        }
        radio_collect_sent(&core);
        if (atomic_set(&has_irq, 0) != 0) {
            lm_core_imu_irq(&core, (uint32_t)atomic_get(&irq_tick));
        }
        const uint32_t wait = lm_core_poll(&core);

        radio_refresh(&core);
        if (wait > 0U) {
            (void)k_sem_take(&wake, K_USEC((uint64_t)wait * 1000000U / LM_TICK_HZ));
        } else {
            k_yield();
        }
    }
}
