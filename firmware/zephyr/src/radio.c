/* The GATT service, advertising and the link. docs/sensor-protocol.md */
#include <errno.h>
#include <string.h>

#include <zephyr/bluetooth/bluetooth.h>
#include <zephyr/bluetooth/conn.h>
#include <zephyr/bluetooth/gatt.h>
#include <zephyr/bluetooth/services/bas.h>
#include <zephyr/bluetooth/uuid.h>
#include <zephyr/kernel.h>

#include "app.h"

#define UUID_BYTES(id) BT_UUID_128_ENCODE(0xb3a90000U | (id), 0xc752, 0x47b2, 0xa224, 0x501169ffa1c1ULL)
#define UUID(id) BT_UUID_DECLARE_128(UUID_BYTES(id))

/* Where each value lies in the service's attributes, below; the descriptor that subscribes follows it. */
enum attribute {
    ATTRIBUTE_DATA = 2,
    ATTRIBUTE_CONTROL = 5,
    ATTRIBUTE_STATUS = 8,
    ATTRIBUTE_CLOCK = 11,
    ATTRIBUTE_LOG = 16
};

static struct bt_conn *host;
static struct k_mutex shown_lock;
static uint8_t shown_status[LM_STATUS_BYTES];
static uint8_t shown_info[LM_INFO_BYTES];
static uint8_t shown_advert[16 + LM_ADVERT_BYTES] = {UUID_BYTES(LM_UUID_SERVICE)};
static uint8_t shown_battery = 255;
static atomic_t sent[LM_CHANNELS];
static bool is_advertising;
static atomic_t is_gone;
static struct bt_gatt_indicate_params indication;
static uint8_t indicated[LM_LIMIT_RESULT_BYTES];

static ssize_t on_control(struct bt_conn *conn, const struct bt_gatt_attr *attr, const void *bytes, uint16_t n,
                          uint16_t offset, uint8_t flags)
{
    struct app_event event = {.kind = APP_CONTROL, .value = n};

    if (offset != 0U || n < 2U || n > sizeof event.bytes) {
        return BT_GATT_ERR(LM_ATT_BAD_LENGTH);
    }
    memcpy(event.bytes, bytes, n);
    return app_post(&event) ? n : BT_GATT_ERR(LM_ATT_BUSY);
}

static ssize_t on_clock(struct bt_conn *conn, const struct bt_gatt_attr *attr, const void *bytes, uint16_t n,
                        uint16_t offset, uint8_t flags)
{
    struct app_event event = {.kind = APP_CLOCK, .value = n, .tick = k_cycle_get_32()};

    if (offset != 0U || n != LM_CLOCK_REQUEST_BYTES) {
        return BT_GATT_ERR(LM_ATT_BAD_LENGTH);
    }
    memcpy(event.bytes, bytes, n);
    return app_post(&event) ? n : BT_GATT_ERR(LM_ATT_BUSY);
}

static ssize_t show(struct bt_conn *conn, const struct bt_gatt_attr *attr, void *to, uint16_t n, uint16_t offset,
                    const uint8_t *what, uint16_t size)
{
    (void)k_mutex_lock(&shown_lock, K_FOREVER);
    const ssize_t done = bt_gatt_attr_read(conn, attr, to, n, offset, what, size);

    (void)k_mutex_unlock(&shown_lock);
    return done;
}

static ssize_t on_status(struct bt_conn *conn, const struct bt_gatt_attr *attr, void *to, uint16_t n, uint16_t offset)
{
    return show(conn, attr, to, n, offset, shown_status, sizeof shown_status);
}

static ssize_t on_info(struct bt_conn *conn, const struct bt_gatt_attr *attr, void *to, uint16_t n, uint16_t offset)
{
    return show(conn, attr, to, n, offset, shown_info, sizeof shown_info);
}

static void subscribed(uint8_t channel, uint16_t value)
{
    const struct app_event event = {.kind = APP_SUBSCRIBED, .channel = channel, .value = value};

    (void)app_post(&event);
}

static void on_subscribe_data(const struct bt_gatt_attr *attr, uint16_t value)
{
    subscribed(LM_CHANNEL_DATA, value);
}

static void on_subscribe_control(const struct bt_gatt_attr *attr, uint16_t value)
{
    subscribed(LM_CHANNEL_CONTROL, value);
}

static void on_subscribe_status(const struct bt_gatt_attr *attr, uint16_t value)
{
    subscribed(LM_CHANNEL_STATUS, value);
}

static void on_subscribe_clock(const struct bt_gatt_attr *attr, uint16_t value)
{
    subscribed(LM_CHANNEL_CLOCK, value);
}

static void on_subscribe_log(const struct bt_gatt_attr *attr, uint16_t value)
{
    subscribed(LM_CHANNEL_LOG, value);
}

#define CCC(on_change) BT_GATT_CCC(on_change, BT_GATT_PERM_READ | BT_GATT_PERM_WRITE)

BT_GATT_SERVICE_DEFINE(
    sensor, BT_GATT_PRIMARY_SERVICE(UUID(LM_UUID_SERVICE)),
    BT_GATT_CHARACTERISTIC(UUID(LM_UUID_DATA), BT_GATT_CHRC_NOTIFY, BT_GATT_PERM_NONE, NULL, NULL, NULL),
    CCC(on_subscribe_data),
    BT_GATT_CHARACTERISTIC(UUID(LM_UUID_CONTROL), BT_GATT_CHRC_WRITE | BT_GATT_CHRC_INDICATE, BT_GATT_PERM_WRITE,
                           NULL, on_control, NULL),
    CCC(on_subscribe_control),
    BT_GATT_CHARACTERISTIC(UUID(LM_UUID_STATUS), BT_GATT_CHRC_READ | BT_GATT_CHRC_NOTIFY, BT_GATT_PERM_READ,
                           on_status, NULL, NULL),
    CCC(on_subscribe_status),
    BT_GATT_CHARACTERISTIC(UUID(LM_UUID_CLOCK), BT_GATT_CHRC_WRITE_WITHOUT_RESP | BT_GATT_CHRC_NOTIFY,
                           BT_GATT_PERM_WRITE, NULL, on_clock, NULL),
    CCC(on_subscribe_clock),
    BT_GATT_CHARACTERISTIC(UUID(LM_UUID_INFO), BT_GATT_CHRC_READ, BT_GATT_PERM_READ, on_info, NULL, NULL),
    BT_GATT_CHARACTERISTIC(UUID(LM_UUID_LOG), BT_GATT_CHRC_NOTIFY, BT_GATT_PERM_NONE, NULL, NULL, NULL),
    CCC(on_subscribe_log));

static void on_sent(struct bt_conn *conn, void *user)
{
    (void)atomic_inc(&sent[(uintptr_t)user]);
    app_wake();
}

static void on_confirmed(struct bt_conn *conn, struct bt_gatt_indicate_params *params, uint8_t error)
{
    (void)atomic_inc(&sent[LM_CHANNEL_CONTROL]);
    app_wake();
}

static uint8_t attribute_of(uint8_t channel)
{
    switch (channel) {
    case LM_CHANNEL_DATA: return ATTRIBUTE_DATA;
    case LM_CHANNEL_STATUS: return ATTRIBUTE_STATUS;
    case LM_CHANNEL_CLOCK: return ATTRIBUTE_CLOCK;
    case LM_CHANNEL_LOG: return ATTRIBUTE_LOG;
    default: return ATTRIBUTE_CONTROL;
    }
}

int radio_notify(void *user, uint8_t channel, const uint8_t *bytes, uint16_t n)
{
    const struct bt_gatt_attr *attribute = &sensor.attrs[attribute_of(channel)];

    if (host == NULL) {
        return -ENOTCONN;
    }
    if (channel == LM_CHANNEL_CONTROL) {
        memcpy(indicated, bytes, n);
        indication = (struct bt_gatt_indicate_params){
            .attr = attribute, .func = on_confirmed, .data = indicated, .len = n};
        return bt_gatt_indicate(host, &indication);
    }
    struct bt_gatt_notify_params notification = {
        .attr = attribute, .data = bytes, .len = n, .func = on_sent, .user_data = (void *)(uintptr_t)channel};

    return bt_gatt_notify_cb(host, &notification);
}

void radio_collect_sent(struct lm_core *core)
{
    for (uint8_t channel = 0; channel < LM_CHANNELS; channel++) {
        for (atomic_val_t n = atomic_set(&sent[channel], 0); n > 0; n--) {
            lm_core_sent(core, channel);
        }
    }
}

void radio_connection(void *user, uint16_t interval_min, uint16_t interval_max, uint16_t latency, uint16_t timeout)
{
    const struct bt_le_conn_param param = {
        .interval_min = interval_min, .interval_max = interval_max, .latency = latency, .timeout = timeout};

    if (host != NULL) {
        (void)bt_conn_le_param_update(host, &param);
    }
}

static void on_mtu(struct bt_conn *conn, uint16_t tx, uint16_t rx)
{
    const struct app_event event = {.kind = APP_MTU, .value = tx < rx ? tx : rx};

    (void)app_post(&event);
}

/* What on_mtu() tells is enough; the stack wants somebody to tell it to. */
static void on_exchange(struct bt_conn *conn, uint8_t error, struct bt_gatt_exchange_params *params)
{
}

static void on_connected(struct bt_conn *conn, uint8_t error)
{
    static struct bt_gatt_exchange_params exchange = {.func = on_exchange};
    const struct app_event event = {.kind = APP_CONNECTED};

    is_advertising = false;
    if (error != 0U) {
        return;
    }
    host = bt_conn_ref(conn);
    for (uint8_t channel = 0; channel < LM_CHANNELS; channel++) {
        (void)atomic_set(&sent[channel], 0);
    }
    (void)app_post(&event);
    (void)bt_gatt_exchange_mtu(conn, &exchange);
    (void)bt_conn_le_data_len_update(conn, BT_LE_DATA_LEN_PARAM_MAX);
    (void)bt_conn_le_phy_update(conn, BT_CONN_LE_PHY_PARAM_2M);
}

/* The main thread lets go of the link, as it may be in the middle of using it. */
static void on_disconnected(struct bt_conn *conn, uint8_t reason)
{
    (void)atomic_set(&is_gone, 1);
    app_wake();
}

bool radio_take_end(void)
{
    if (atomic_set(&is_gone, 0) == 0 || host == NULL) {
        return false;
    }
    bt_conn_unref(host);
    host = NULL;
    return true;
}

BT_CONN_CB_DEFINE(connection_callbacks) = {.connected = on_connected, .disconnected = on_disconnected};

static struct bt_gatt_cb gatt_callbacks = {.att_mtu_updated = on_mtu};

int radio_init(const uint8_t serial[8])
{
    static const char HEX[] = "0123456789ABCDEF";
    char name[8] = "LM-0000";

    for (uint32_t i = 0; i < 4U; i++) {
        name[3 + i] = HEX[serial[1U - i / 2U] >> (i % 2U == 0U ? 4 : 0) & 15];
    }
    (void)k_mutex_init(&shown_lock);
    bt_gatt_cb_register(&gatt_callbacks);
    const int error = bt_enable(NULL);

    return error != 0 ? error : bt_set_name(name);
}

static void advertise(void)
{
    const char *name = bt_get_name();
    const struct bt_data advertised[] = {
        BT_DATA_BYTES(BT_DATA_FLAGS, BT_LE_AD_GENERAL | BT_LE_AD_NO_BREDR),
        BT_DATA_BYTES(BT_DATA_UUID128_ALL, UUID_BYTES(LM_UUID_SERVICE)),
        BT_DATA(BT_DATA_NAME_COMPLETE, name, (uint8_t)strlen(name)),
    };
    const struct bt_data response[] = {BT_DATA(BT_DATA_SVC_DATA128, shown_advert, sizeof shown_advert)};

    if (host == NULL && !is_advertising) {
        is_advertising = bt_le_adv_start(BT_LE_ADV_PARAM(BT_LE_ADV_OPT_CONNECTABLE | BT_LE_ADV_OPT_ONE_TIME,
                                                         BT_GAP_ADV_FAST_INT_MIN_2, BT_GAP_ADV_FAST_INT_MAX_2, NULL),
                                         advertised, ARRAY_SIZE(advertised), response, ARRAY_SIZE(response)) == 0;
    } else if (is_advertising) {
        (void)bt_le_adv_update_data(advertised, ARRAY_SIZE(advertised), response, ARRAY_SIZE(response));
    }
}

void radio_refresh(const struct lm_core *core)
{
    uint8_t advert[LM_ADVERT_BYTES];

    (void)k_mutex_lock(&shown_lock, K_FOREVER);
    lm_core_status(core, shown_status);
    lm_core_info(core, shown_info);
    (void)k_mutex_unlock(&shown_lock);
    lm_core_advert(core, advert);
    if (advert[2] != shown_battery && advert[2] <= 100U) {
        shown_battery = advert[2];
        (void)bt_bas_set_battery_level(shown_battery);
    }
    if (memcmp(advert, shown_advert + 16, sizeof advert) != 0 || (host == NULL && !is_advertising)) {
        memcpy(shown_advert + 16, advert, sizeof advert);
        advertise();
    }
}
