/* Plays a written-down course of events to the core and writes down all that it sends: the same program on a desk
 * and on the target, so that their bytes can be compared. in.bin: one byte, 1 with the chip, 0 with fed samples; then
 * {u8 event, u16 length, payload}. out.bin: {u8 channel, u16 length, bytes} each, then status and info. */
#include "replay_io.h"

#include <stddef.h>
#include <string.h>

#include "fake_lsm6ds3.h"
#include "lm_bytes.h"
#include "lm_core.h"

#define RING_BYTES 126720
#define FLASH_BYTES (64 * 4096)
#define PLACES 8
#define PLACE_BYTES 248

static struct lm_core core;
static struct fake_imu chip;
static uint8_t ring[RING_BYTES];
static uint8_t flash[FLASH_BYTES];
static uint8_t settings[64];
static uint8_t held_channels[PLACES];
static uint8_t in[1 << 21];
static int16_t block[6 * 256];
static uint32_t held;
static uint32_t tick;
static uint32_t next_random = 1;
static uint64_t work;
static uint32_t samples;
static bool has_chip;

static uint32_t port_now(void *user)
{
    (void)user;
    return tick;
}

static uint32_t port_random(void *user)
{
    (void)user;
    next_random = next_random * 1664525U + 1013904223U;
    return next_random;
}

static void put_out(uint8_t channel, const uint8_t *bytes, uint16_t n)
{
    const uint8_t head[3] = {channel, (uint8_t)(n & 0xFFU), (uint8_t)(n >> 8)};

    io_write(head, sizeof head);
    io_write(bytes, n);
}

static int port_notify(void *user, uint8_t channel, const uint8_t *bytes, uint16_t n)
{
    (void)user;
    if (held == PLACES || n > PLACE_BYTES) {
        return -1;
    }
    const uint32_t pause = io_clock();

    held_channels[held++] = channel;
    put_out(channel, bytes, n);
    work -= io_clock_since(pause);
    return 0;
}

static int port_flash_read(void *user, uint32_t at, uint8_t *bytes, uint32_t n)
{
    (void)user;
    memcpy(bytes, flash + at, n);
    return 0;
}

static int port_flash_program(void *user, uint32_t at, const uint8_t *bytes, uint32_t n)
{
    (void)user;
    for (uint32_t i = 0; i < n; i++) {
        flash[at + i] &= bytes[i];
    }
    return 0;
}

static int port_flash_erase(void *user, uint32_t at)
{
    (void)user;
    memset(flash + at, 0xFF, 4096);
    return 0;
}

static int port_settings_load(void *user, uint8_t *bytes, uint16_t n)
{
    (void)user;
    memcpy(bytes, settings, n);
    return 0;
}

static int port_settings_save(void *user, const uint8_t *bytes, uint16_t n)
{
    (void)user;
    memcpy(settings, bytes, n);
    return 0;
}

static int port_i2c_read(void *user, uint8_t reg, uint8_t *bytes, uint16_t n)
{
    (void)user;
    return fake_imu_read(&chip, reg, bytes, n);
}

static int port_i2c_write(void *user, uint8_t reg, const uint8_t *bytes, uint16_t n)
{
    (void)user;
    return fake_imu_write(&chip, reg, bytes, n);
}

static void port_imu_power(void *user, bool is_on)
{
    (void)user;
    fake_imu_power(&chip, is_on);
}

static void deliver(uint32_t n)
{
    n = n < held ? n : held;
    for (uint32_t i = 0; i < n; i++) {
        lm_core_sent(&core, held_channels[i]);
    }
    memmove(held_channels, held_channels + n, held - n);
    held -= n;
}

static void pass(uint32_t ticks)
{
    const uint32_t rises = chip.irq_count;

    tick += ticks;
    if (has_chip) {
        fake_imu_advance(&chip, ticks);
        if (chip.irq_count != rises) {
            lm_core_imu_irq(&core, chip.irq_tick);
        }
    }
}

static void feed(const uint8_t *payload, uint16_t n)
{
    const uint16_t count = (uint16_t)((n - 8U) / 12U);

    for (uint32_t i = 0; i < 6U * count; i++) {
        block[i] = (int16_t)lm_get_u16(payload + 8 + 2U * i);
    }
    const uint32_t begin = io_clock();

    lm_core_feed(&core, block, count, lm_get_u32(payload), lm_get_u32(payload + 4));
    work += io_clock_since(begin);
    samples += count;
}

static void poll(void)
{
    const uint32_t begin = io_clock();

    (void)lm_core_poll(&core);
    work += io_clock_since(begin);
}

static void connect(void)
{
    lm_core_connected(&core);
    lm_core_mtu(&core, 247);
    for (uint8_t channel = LM_CHANNEL_DATA; channel <= LM_CHANNEL_LOG; channel++) {
        lm_core_subscribed(&core, channel, true);
    }
}

static void play(char event, const uint8_t *payload, uint16_t n)
{
    switch (event) {
    case 'T': pass(lm_get_u32(payload)); break;
    case 'F': feed(payload, n); break;
    case 'P': poll(); break;
    case 'D': deliver(payload[0]); break;
    case 'C': (void)lm_core_control(&core, payload, n); break;
    case 'Q': (void)lm_core_clock_request(&core, payload, n, tick); break;
    case 'L':
        held = 0;
        if (payload[0] != 0U) {
            connect();
        } else {
            lm_core_disconnected(&core);
        }
        break;
    case 'X': chip.is_locked = true; break;
    default: chip.ppm = (int32_t)lm_get_u32(payload); break;
    }
}

int main(void)
{
    uint8_t last[LM_INFO_BYTES];
    const uint32_t end = io_read_all(in, sizeof in);

    has_chip = in[0] == 1U;
    struct lm_port port = {
        .now = port_now,
        .random = port_random,
        .notify = port_notify,
        .flash_read = port_flash_read,
        .flash_program = port_flash_program,
        .flash_erase = port_flash_erase,
        .settings_load = port_settings_load,
        .settings_save = port_settings_save,
    };

    if (has_chip) {
        port.i2c_read = port_i2c_read;
        port.i2c_write = port_i2c_write;
        port.imu_power = port_imu_power;
        fake_imu_init(&chip, 0);
    }
    memset(flash, 0xFF, sizeof flash);
    const struct lm_config config = {.port = &port, .ring = ring, .ring_bytes = sizeof ring, .flash_bytes = FLASH_BYTES};

    if (!lm_core_init(&core, &config)) {
        return 1;
    }
    for (uint32_t at = 1; at < end;) {
        const uint16_t n = lm_get_u16(in + at + 1);

        play((char)in[at], in + at + 3, n);
        at += 3U + n;
    }
    lm_core_status(&core, last);
    put_out(LM_CHANNEL_STATUS, last, LM_STATUS_BYTES);
    lm_core_info(&core, last);
    put_out(5, last, LM_INFO_BYTES);
    io_report(samples + core.stream.next_index * (has_chip ? 1U : 0U), work);
    return 0;
}
