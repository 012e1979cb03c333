/* What the core asks of the board. Every function gets `user` back. A pointer may be NULL where the board lacks
 * the part: no i2c_read means samples are fed from outside, no flash_read means no log, and so on; `now`,
 * `notify` and `random` are required. Ints are 0 for success, anything else for failure. Nothing here is called
 * from an interrupt. */
#ifndef LM_PORT_H
#define LM_PORT_H

#include <stdbool.h>
#include <stdint.h>

/* The characteristics, numbered as in the protocol. */
enum lm_channel {
    LM_CHANNEL_DATA = 1,
    LM_CHANNEL_CONTROL = 2,
    LM_CHANNEL_STATUS = 3,
    LM_CHANNEL_CLOCK = 4,
    LM_CHANNEL_LOG = 6,
    LM_CHANNELS = 7
};

enum lm_restart { LM_RESTART_BOOTLOADER = 1, LM_RESTART_OFF = 2 };

struct lm_port {
    void *user;

    /* Ticks of the 32768 Hz crystal; wraps at 2^32. */
    uint32_t (*now)(void *user);
    uint32_t (*random)(void *user);

    /* Hands bytes to the radio (an indication for LM_CHANNEL_CONTROL). Not 0: no room, try later. Each success
     * is answered by one lm_core_sent() when the radio is done with it, unless the link ends first. */
    int (*notify)(void *user, uint8_t channel, const uint8_t *bytes, uint16_t n);
    /* Wished connection parameters: intervals in 1.25 ms, timeout in 10 ms. */
    void (*connection)(void *user, uint16_t interval_min, uint16_t interval_max, uint16_t latency,
                       uint16_t timeout);

    int (*i2c_write)(void *user, uint8_t reg, const uint8_t *bytes, uint16_t n);
    int (*i2c_read)(void *user, uint8_t reg, uint8_t *bytes, uint16_t n);
    void (*imu_power)(void *user, bool is_on);

    /* NOR flash for the log, addressed from 0: program clears bits, erase sets a 4 kB sector to 0xFF. */
    int (*flash_read)(void *user, uint32_t at, uint8_t *bytes, uint32_t n);
    int (*flash_program)(void *user, uint32_t at, const uint8_t *bytes, uint32_t n);
    int (*flash_erase)(void *user, uint32_t at);

    /* A few bytes that survive power cuts whole or not at all. */
    int (*settings_load)(void *user, uint8_t *bytes, uint16_t n);
    int (*settings_save)(void *user, const uint8_t *bytes, uint16_t n);

    int (*battery)(void *user, uint16_t *millivolt, bool *is_charging);
    /* Bits 0 red, 1 green, 2 blue. */
    void (*led)(void *user, uint8_t rgb);
    /* Does not return on hardware. */
    void (*restart)(void *user, uint8_t how);
};

#endif
