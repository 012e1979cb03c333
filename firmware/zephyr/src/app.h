/* What main, radio and board share. The core belongs to the main thread alone: callbacks leave events. */
#ifndef APP_H
#define APP_H

#include <stdbool.h>
#include <stdint.h>

#include "lm_core.h"

#define APP_WRITE_MAX 128

enum app_event_kind { APP_CONNECTED, APP_MTU, APP_SUBSCRIBED, APP_CONTROL, APP_CLOCK };

struct app_event {
    uint32_t tick;
    uint16_t value;   /* MTU, or whether subscribed, or length of `bytes` */
    uint8_t kind;
    uint8_t channel;
    uint8_t bytes[APP_WRITE_MAX];
};

/* main.c: from any thread; false if the queue is full. */
bool app_post(const struct app_event *event);
void app_wake(void);
/* From the GPIO interrupt. */
void app_imu_interrupt(void);

/* radio.c */
int radio_init(const uint8_t serial[8]);
/* Main thread: advertises if nobody is connected, and shows what can be read. */
void radio_refresh(const struct lm_core *core);
/* Main thread: whether the link has ended since the last call. */
bool radio_take_end(void);
/* Main thread: tells the core what the radio is done with. */
void radio_collect_sent(struct lm_core *core);
int radio_notify(void *user, uint8_t channel, const uint8_t *bytes, uint16_t n);
void radio_connection(void *user, uint16_t interval_min, uint16_t interval_max, uint16_t latency, uint16_t timeout);

/* board.c: fills in the port what the board has, and the serial number. */
int board_init(struct lm_port *port, uint8_t serial[8], uint32_t *flash_bytes, uint8_t *board);

#endif
