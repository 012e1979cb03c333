/* The Zephyr calls that the glue makes, as far as a compiler needs them: written from the documentation of Zephyr 3.7,
 * so that CI can see that the glue is C. They do nothing and prove nothing about Zephyr. */
#ifndef ZEPHYR_STUB_H
#define ZEPHYR_STUB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define CONFIG_HWINFO 1
#define CONFIG_SYS_CLOCK_HW_CYCLES_PER_SEC 32768
#define IS_ENABLED(option) 0
#define BUILD_ASSERT(condition, ...) _Static_assert(condition, "" __VA_ARGS__)
#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))
#define BIT(n) (1UL << (n))
#undef __aligned
#define __aligned(n) __attribute__((aligned(n)))

/* Kernel */
typedef long atomic_val_t;
typedef struct { atomic_val_t value; } atomic_t;
typedef struct { int64_t ticks; } k_timeout_t;
struct k_msgq { int unused; };
struct k_sem { int unused; };
struct k_mutex { int unused; };
#define K_MSGQ_DEFINE(name, size, count, align) struct k_msgq name = {(int)(size) * (count) * (align)}
#define K_SEM_DEFINE(name, initial, limit) struct k_sem name = {(initial) + (limit)}
#define K_NO_WAIT ((k_timeout_t){0})
#define K_FOREVER ((k_timeout_t){-1})
#define K_USEC(n) ((k_timeout_t){(int64_t)(n)})
uint32_t k_cycle_get_32(void);
int k_msgq_put(struct k_msgq *queue, const void *item, k_timeout_t timeout);
int k_msgq_get(struct k_msgq *queue, void *item, k_timeout_t timeout);
int k_msgq_peek(struct k_msgq *queue, void *item);
void k_msgq_purge(struct k_msgq *queue);
void k_sem_give(struct k_sem *sem);
int k_sem_take(struct k_sem *sem, k_timeout_t timeout);
int k_mutex_init(struct k_mutex *mutex);
int k_mutex_lock(struct k_mutex *mutex, k_timeout_t timeout);
int k_mutex_unlock(struct k_mutex *mutex);
void k_yield(void);
atomic_val_t atomic_set(atomic_t *target, atomic_val_t value);
atomic_val_t atomic_get(const atomic_t *target);
atomic_val_t atomic_inc(atomic_t *target);
uint32_t sys_rand32_get(void);
void sys_reboot(int type);
void sys_poweroff(void);

/* Devices */
struct device { int unused; };
extern const struct device stub_device;
#define DEVICE_DT_GET(node) (&stub_device)
#ifndef STUB_HAS_PARTS
#define STUB_HAS_PARTS 1
#endif
#define DT_NODE_EXISTS(node) STUB_HAS_PARTS
bool device_is_ready(const struct device *device);
ssize_t hwinfo_get_device_id(uint8_t *id, size_t n);

struct i2c_dt_spec { const struct device *bus; uint16_t addr; };
#define I2C_DT_SPEC_GET(node) {&stub_device, 0}
int i2c_burst_read_dt(const struct i2c_dt_spec *spec, uint8_t start, uint8_t *bytes, uint32_t n);
int i2c_burst_write_dt(const struct i2c_dt_spec *spec, uint8_t start, const uint8_t *bytes, uint32_t n);

typedef uint32_t gpio_flags_t;
struct gpio_dt_spec { const struct device *port; uint8_t pin; };
struct gpio_callback { int unused; };
typedef void (*gpio_callback_handler_t)(const struct device *port, struct gpio_callback *callback, uint32_t pins);
#define GPIO_DT_SPEC_GET(node, property) {&stub_device, 0}
#define GPIO_INPUT 1U
#define GPIO_OUTPUT_ACTIVE 2U
#define GPIO_OUTPUT_INACTIVE 4U
#define GPIO_INT_EDGE_TO_ACTIVE 8U
#define GPIO_INT_LEVEL_ACTIVE 16U
int gpio_pin_configure_dt(const struct gpio_dt_spec *spec, gpio_flags_t flags);
int gpio_pin_interrupt_configure_dt(const struct gpio_dt_spec *spec, gpio_flags_t flags);
int gpio_pin_set_dt(const struct gpio_dt_spec *spec, int value);
int gpio_pin_get_dt(const struct gpio_dt_spec *spec);
void gpio_init_callback(struct gpio_callback *callback, gpio_callback_handler_t handler, uint32_t pins);
int gpio_add_callback(const struct device *port, struct gpio_callback *callback);

struct adc_dt_spec { const struct device *dev; uint8_t channel_id; };
struct adc_sequence { void *buffer; size_t buffer_size; };
#define ADC_DT_SPEC_GET(node) {&stub_device, 0}
int adc_channel_setup_dt(const struct adc_dt_spec *spec);
int adc_sequence_init_dt(const struct adc_dt_spec *spec, struct adc_sequence *sequence);
int adc_read_dt(const struct adc_dt_spec *spec, const struct adc_sequence *sequence);
int adc_raw_to_millivolts_dt(const struct adc_dt_spec *spec, int32_t *value);

int flash_read(const struct device *device, off_t at, void *bytes, size_t n);
int flash_write(const struct device *device, off_t at, const void *bytes, size_t n);
int flash_erase(const struct device *device, off_t at, size_t n);

typedef ssize_t (*settings_read_cb)(void *source, void *bytes, size_t n);
struct settings_handler_static {
    const char *name;
    int (*set)(const char *name, size_t n, settings_read_cb read, void *source);
};
#define SETTINGS_STATIC_HANDLER_DEFINE(hname, tree, get, set, commit, exported) \
    extern const struct settings_handler_static settings_##hname; \
    const struct settings_handler_static settings_##hname = {tree, set}
int settings_subsys_init(void);
int settings_load_subtree(const char *subtree);
int settings_save_one(const char *name, const void *value, size_t n);

/* Bluetooth */
struct bt_conn;
struct bt_uuid;
struct bt_gatt_attr { const struct bt_uuid *uuid; };
struct bt_gatt_service_static { const struct bt_gatt_attr *attrs; size_t attr_count; };
#define BT_UUID_128_ENCODE(a, b, c, d, e) \
    (uint8_t)((e) & 0xFFU), (uint8_t)((e) >> 8 & 0xFFU), (uint8_t)((e) >> 16 & 0xFFU), (uint8_t)((e) >> 24 & 0xFFU), \
    (uint8_t)((e) >> 32 & 0xFFU), (uint8_t)((e) >> 40 & 0xFFU), (uint8_t)((d) & 0xFFU), (uint8_t)((d) >> 8), \
    (uint8_t)((c) & 0xFFU), (uint8_t)((c) >> 8), (uint8_t)((b) & 0xFFU), (uint8_t)((b) >> 8), \
    (uint8_t)((a) & 0xFFU), (uint8_t)((a) >> 8 & 0xFFU), (uint8_t)((a) >> 16 & 0xFFU), (uint8_t)((a) >> 24 & 0xFFU)
#define BT_UUID_DECLARE_128(...) ((const struct bt_uuid *)(const uint8_t[]){__VA_ARGS__})
#define BT_GATT_CHRC_READ 2
#define BT_GATT_CHRC_WRITE_WITHOUT_RESP 4
#define BT_GATT_CHRC_WRITE 8
#define BT_GATT_CHRC_NOTIFY 16
#define BT_GATT_CHRC_INDICATE 32
#define BT_GATT_PERM_NONE 0
#define BT_GATT_PERM_READ 1
#define BT_GATT_PERM_WRITE 2
#define BT_GATT_ERR(code) (-(ssize_t)(code))
typedef ssize_t (*stub_read)(struct bt_conn *, const struct bt_gatt_attr *, void *, uint16_t, uint16_t);
typedef ssize_t (*stub_write)(struct bt_conn *, const struct bt_gatt_attr *, const void *, uint16_t, uint16_t, uint8_t);
typedef void (*stub_ccc)(const struct bt_gatt_attr *, uint16_t);
struct stub_attr { const struct bt_uuid *uuid; stub_read read; stub_write write; stub_ccc ccc; };
#define BT_GATT_PRIMARY_SERVICE(uuid) {uuid, NULL, NULL, NULL}
#define BT_GATT_CHARACTERISTIC(uuid, properties, permissions, read, write, value) \
    {NULL, NULL, NULL, NULL}, {uuid, read, write, NULL}
#define BT_GATT_CCC(on_change, permissions) {NULL, NULL, NULL, on_change}
#define BT_GATT_SERVICE_DEFINE(name, ...) \
    extern const struct stub_attr stub_##name[]; \
    const struct stub_attr stub_##name[] = {__VA_ARGS__}; \
    _Static_assert(ARRAY_SIZE(((const struct stub_attr[]){__VA_ARGS__})) == STUB_ATTRIBUTES, "attribute count"); \
    static const struct bt_gatt_service_static name = {(const struct bt_gatt_attr *)(const void *)stub_##name, 0}
#define STUB_ATTRIBUTES 18
ssize_t bt_gatt_attr_read(struct bt_conn *conn, const struct bt_gatt_attr *attr, void *to, uint16_t n, uint16_t offset,
                          const void *value, uint16_t size);
struct bt_gatt_notify_params {
    const struct bt_gatt_attr *attr;
    const void *data;
    uint16_t len;
    void (*func)(struct bt_conn *, void *);
    void *user_data;
};
struct bt_gatt_indicate_params {
    const struct bt_gatt_attr *attr;
    void (*func)(struct bt_conn *, struct bt_gatt_indicate_params *, uint8_t);
    const void *data;
    uint16_t len;
};
struct bt_gatt_exchange_params { void (*func)(struct bt_conn *, uint8_t, struct bt_gatt_exchange_params *); };
struct bt_gatt_cb { void (*att_mtu_updated)(struct bt_conn *, uint16_t, uint16_t); };
int bt_gatt_notify_cb(struct bt_conn *conn, struct bt_gatt_notify_params *params);
int bt_gatt_indicate(struct bt_conn *conn, struct bt_gatt_indicate_params *params);
int bt_gatt_exchange_mtu(struct bt_conn *conn, struct bt_gatt_exchange_params *params);
void bt_gatt_cb_register(struct bt_gatt_cb *callbacks);
int bt_bas_set_battery_level(uint8_t level);

struct bt_le_conn_param { uint16_t interval_min, interval_max, latency, timeout; };
struct bt_conn_le_data_len_param { uint16_t tx_max_len, tx_max_time; };
struct bt_conn_le_phy_param { uint16_t options; uint8_t pref_tx_phy, pref_rx_phy; };
struct bt_conn_cb {
    void (*connected)(struct bt_conn *, uint8_t);
    void (*disconnected)(struct bt_conn *, uint8_t);
};
#define BT_CONN_CB_DEFINE(name) extern const struct bt_conn_cb name; const struct bt_conn_cb name
#define BT_LE_DATA_LEN_PARAM_MAX (&(const struct bt_conn_le_data_len_param){251, 17040})
#define BT_CONN_LE_PHY_PARAM_2M (&(const struct bt_conn_le_phy_param){0, 2, 2})
struct bt_conn *bt_conn_ref(struct bt_conn *conn);
void bt_conn_unref(struct bt_conn *conn);
int bt_conn_le_param_update(struct bt_conn *conn, const struct bt_le_conn_param *param);
int bt_conn_le_data_len_update(struct bt_conn *conn, const struct bt_conn_le_data_len_param *param);
int bt_conn_le_phy_update(struct bt_conn *conn, const struct bt_conn_le_phy_param *param);

struct bt_data { uint8_t type, data_len; const uint8_t *data; };
struct bt_le_adv_param { uint32_t options, interval_min, interval_max; const void *peer; };
#define BT_DATA(type, data, n) {(type), (n), (const uint8_t *)(data)}
#define BT_DATA_BYTES(type, ...) \
    BT_DATA(type, ((const uint8_t[]){__VA_ARGS__}), (uint8_t)sizeof((const uint8_t[]){__VA_ARGS__}))
#define BT_DATA_FLAGS 0x01
#define BT_DATA_UUID128_ALL 0x07
#define BT_DATA_NAME_COMPLETE 0x09
#define BT_DATA_SVC_DATA128 0x21
#define BT_LE_AD_GENERAL 2
#define BT_LE_AD_NO_BREDR 4
#define BT_LE_ADV_OPT_CONNECTABLE 1U
#define BT_LE_ADV_OPT_ONE_TIME 2U
#define BT_GAP_ADV_FAST_INT_MIN_2 160U
#define BT_GAP_ADV_FAST_INT_MAX_2 240U
#define BT_LE_ADV_PARAM(options, low, high, peer) (&(const struct bt_le_adv_param){options, low, high, peer})
int bt_enable(void (*ready)(int));
int bt_set_name(const char *name);
const char *bt_get_name(void);
int bt_le_adv_start(const struct bt_le_adv_param *param, const struct bt_data *ad, size_t ad_n, const struct bt_data *sd,
                    size_t sd_n);
int bt_le_adv_update_data(const struct bt_data *ad, size_t ad_n, const struct bt_data *sd, size_t sd_n);

#endif
