/* The XIAO nRF52840 Sense: IMU, flash, settings, battery, LED, the ways to restart. A board that lacks a part (the
 * simulated one) leaves its pointer NULL. */
#include <string.h>

#include <zephyr/device.h>
#include <zephyr/devicetree.h>
#include <zephyr/drivers/adc.h>
#include <zephyr/drivers/flash.h>
#include <zephyr/drivers/gpio.h>
#include <zephyr/drivers/hwinfo.h>
#include <zephyr/drivers/i2c.h>
#include <zephyr/kernel.h>
#include <zephyr/settings/settings.h>
#include <zephyr/sys/poweroff.h>
#include <zephyr/sys/reboot.h>

#include "app.h"

#define SETTINGS_NAME "lm/core"
#define SETTINGS_MAX 64

static uint8_t stored[SETTINGS_MAX];
static uint16_t stored_bytes;

static int on_setting(const char *name, size_t n, settings_read_cb read, void *source)
{
    if (strcmp(name, "core") != 0 || n > sizeof stored) {
        return 0;
    }
    const ssize_t done = read(source, stored, n);

    stored_bytes = done > 0 ? (uint16_t)done : 0U;
    return 0;
}

SETTINGS_STATIC_HANDLER_DEFINE(lm, "lm", NULL, on_setting, NULL, NULL);

static int load_settings(void *user, uint8_t *bytes, uint16_t n)
{
    if (stored_bytes != n) {
        return -1;
    }
    memcpy(bytes, stored, n);
    return 0;
}

static int save_settings(void *user, const uint8_t *bytes, uint16_t n)
{
    return settings_save_one(SETTINGS_NAME, bytes, n);
}

#if DT_NODE_EXISTS(DT_NODELABEL(lsm6ds3tr_c))

#define USER DT_PATH(zephyr_user)
/* Divider of the battery's voltage: 1 MOhm over 510 kOhm. */
#define DIVIDER_WHOLE 1510
#define DIVIDER_PART 510
/* What the board's UF2 bootloader looks for; Zephyr writes the reboot's type to GPREGRET. */
#define REBOOT_TO_UF2 0x57

static const struct device *const flash = DEVICE_DT_GET(DT_NODELABEL(p25q16h));
static const struct i2c_dt_spec imu = I2C_DT_SPEC_GET(DT_NODELABEL(lsm6ds3tr_c));
static const struct gpio_dt_spec imu_irq = GPIO_DT_SPEC_GET(DT_NODELABEL(lsm6ds3tr_c), irq_gpios);
static const struct gpio_dt_spec imu_supply = GPIO_DT_SPEC_GET(USER, imu_power_gpios);
static const struct gpio_dt_spec divider = GPIO_DT_SPEC_GET(USER, battery_divider_gpios);
static const struct gpio_dt_spec charging = GPIO_DT_SPEC_GET(USER, charging_gpios);
static const struct adc_dt_spec battery_adc = ADC_DT_SPEC_GET(USER);
static const struct gpio_dt_spec leds[3] = {GPIO_DT_SPEC_GET(DT_ALIAS(led0), gpios),
                                            GPIO_DT_SPEC_GET(DT_ALIAS(led1), gpios),
                                            GPIO_DT_SPEC_GET(DT_ALIAS(led2), gpios)};
static struct gpio_callback irq_callback;

static void on_irq(const struct device *port, struct gpio_callback *callback, uint32_t pins)
{
    app_imu_interrupt();
}

static int read_imu(void *user, uint8_t reg, uint8_t *bytes, uint16_t n)
{
    return i2c_burst_read_dt(&imu, reg, bytes, n);
}

static int write_imu(void *user, uint8_t reg, const uint8_t *bytes, uint16_t n)
{
    return i2c_burst_write_dt(&imu, reg, bytes, n);
}

static void power_imu(void *user, bool is_on)
{
    (void)gpio_pin_set_dt(&imu_supply, is_on);
}

static int read_flash(void *user, uint32_t at, uint8_t *bytes, uint32_t n)
{
    return flash_read(flash, (off_t)at, bytes, n);
}

static int program_flash(void *user, uint32_t at, const uint8_t *bytes, uint32_t n)
{
    return flash_write(flash, (off_t)at, bytes, n);
}

static int erase_flash(void *user, uint32_t at)
{
    return flash_erase(flash, (off_t)at, LM_LOG_SECTOR_BYTES);
}

static int read_battery(void *user, uint16_t *millivolt, bool *is_charging)
{
    int16_t sample = 0;
    struct adc_sequence sequence = {.buffer = &sample, .buffer_size = sizeof sample};
    int32_t mv;

    if (adc_sequence_init_dt(&battery_adc, &sequence) != 0 || adc_read_dt(&battery_adc, &sequence) != 0) {
        return -1;
    }
    mv = sample;
    if (adc_raw_to_millivolts_dt(&battery_adc, &mv) != 0 || mv <= 0) {
        return -1;
    }
    *millivolt = (uint16_t)(mv * DIVIDER_WHOLE / DIVIDER_PART);
    *is_charging = gpio_pin_get_dt(&charging) == 1;
    return 0;
}

static void set_led(void *user, uint8_t rgb)
{
    for (uint32_t i = 0; i < ARRAY_SIZE(leds); i++) {
        (void)gpio_pin_set_dt(&leds[i], rgb >> i & 1);
    }
}

static void restart(void *user, uint8_t how)
{
    if (how == LM_RESTART_BOOTLOADER) {
        sys_reboot(REBOOT_TO_UF2);
    }
    set_led(NULL, 0);
    (void)gpio_pin_interrupt_configure_dt(&imu_irq, GPIO_INT_LEVEL_ACTIVE);
    sys_poweroff();
}

static int init_parts(struct lm_port *port, uint32_t *flash_bytes)
{
    int bad = gpio_pin_configure_dt(&divider, GPIO_OUTPUT_ACTIVE);

    bad |= gpio_pin_configure_dt(&imu_supply, GPIO_OUTPUT_INACTIVE);
    bad |= gpio_pin_configure_dt(&charging, GPIO_INPUT);
    bad |= gpio_pin_configure_dt(&imu_irq, GPIO_INPUT);
    bad |= gpio_pin_interrupt_configure_dt(&imu_irq, GPIO_INT_EDGE_TO_ACTIVE);
    for (uint32_t i = 0; i < ARRAY_SIZE(leds); i++) {
        bad |= gpio_pin_configure_dt(&leds[i], GPIO_OUTPUT_INACTIVE);
    }
    bad |= adc_channel_setup_dt(&battery_adc);
    gpio_init_callback(&irq_callback, on_irq, (uint32_t)BIT(imu_irq.pin));
    bad |= gpio_add_callback(imu_irq.port, &irq_callback);

    port->i2c_read = read_imu;
    port->i2c_write = write_imu;
    port->imu_power = power_imu;
    port->battery = read_battery;
    port->led = set_led;
    port->restart = restart;
    if (device_is_ready(flash)) {
        port->flash_read = read_flash;
        port->flash_program = program_flash;
        port->flash_erase = erase_flash;
        *flash_bytes = 2U * 1024U * 1024U;
    }
    return bad;
}

#endif

int board_init(struct lm_port *port, uint8_t serial[8], uint32_t *flash_bytes, uint8_t *board)
{
#if defined(CONFIG_HWINFO)
    (void)hwinfo_get_device_id(serial, 8);
#endif
    if (settings_subsys_init() == 0) {
        (void)settings_load_subtree("lm");
        port->settings_load = load_settings;
        port->settings_save = save_settings;
    }
#if DT_NODE_EXISTS(DT_NODELABEL(lsm6ds3tr_c))
    *board = 1;
    return init_parts(port, flash_bytes);
#else
    return 0;
#endif
}
