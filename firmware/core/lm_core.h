/* One sensor: samples in, frames and answers out. No operating system, no heap, no variables but this context.
 *
 * Everything is called from one thread. The board's glue translates interrupts and radio callbacks into the calls
 * below and calls lm_core_poll() after each of them and when the time it returned is over. */
#ifndef LM_CORE_H
#define LM_CORE_H

#include <stdbool.h>
#include <stdint.h>

#include "lm_clock.h"
#include "lm_imu.h"
#include "lm_log.h"
#include "lm_port.h"
#include "lm_power.h"
#include "lm_protocol.h"
#include "lm_ring.h"

#define LM_FIRMWARE_MAJOR 0
#define LM_FIRMWARE_MINOR 1
#define LM_FIRMWARE_PATCH 0

#define LM_RESULTS 4

/* Answers to a write on the control characteristic, for the radio's own error response. */
enum lm_att { LM_ATT_OK = 0, LM_ATT_BUSY = 0x80, LM_ATT_BAD_LENGTH = 0x0D };

struct lm_config {
    const struct lm_port *port;
    uint8_t *ring;      /* memory of the caller, for frames */
    uint32_t ring_bytes;
    uint32_t flash_bytes;
    uint8_t board;      /* 0 emulated, 1 XIAO nRF52840 Sense */
    uint8_t serial[8];
};

/* What a START asks for; also the sensor's present settings. */
struct lm_stream_settings {
    uint16_t rate_hz;
    uint16_t gyr_range_dps;
    uint8_t acc_range_g;
    uint8_t samples;
};

struct lm_stream {
    struct lm_stream_settings settings;
    uint32_t session;    /* random, anew with each START; 0 before the first */
    uint32_t next_index; /* of the next sample */
    uint32_t dropped;    /* samples that were lost in the sensor */
    uint32_t live_next;  /* number of the next frame to send live */
    uint32_t taken_next; /* number after the last live frame that the radio took: those it refused lie between */
    uint32_t log_next;   /* index of the next sample to log */
    uint8_t epoch;
    uint8_t open_n;      /* samples in the open frame */
    uint8_t flags;       /* for the next frame to be opened */
    uint8_t until_temperature;
    bool has_frames;     /* the ring holds a session */
};

struct lm_range {
    uint32_t first;
    uint32_t end; /* one past the last */
};

struct lm_link {
    uint16_t mtu;
    uint8_t queued;          /* frames and pages that the radio holds */
    uint8_t range_count;
    bool is_up;
    bool is_subscribed[LM_CHANNELS];
    bool is_result_out;      /* an indication awaits its confirmation */
    bool has_clock_answer;
    bool is_status_due;
    bool is_log_sending;
    uint8_t result_count;
    uint8_t result_bytes[LM_RESULTS];
    uint8_t results[LM_RESULTS][LM_LIMIT_RESULT_BYTES];
    uint8_t clock_answer[LM_CLOCK_ANSWER_BYTES];
    struct lm_range ranges[LM_LIMIT_MAX_RANGES];
    uint32_t log_asked;      /* first page of the last LOG_READ */
    uint32_t log_at;
    uint32_t log_end;
    uint32_t log_sent;
    uint32_t status_due;
};

struct lm_core {
    const struct lm_port *port;
    struct lm_clock clock;
    struct lm_imu imu;
    struct lm_ring ring;
    struct lm_stream stream;
    struct lm_link link;
    struct lm_log log;
    struct lm_power power;
    uint64_t utc_ms;           /* at utc_tick; 0 while unknown */
    uint32_t utc_tick;
    uint32_t state_since;
    uint32_t identify_until;
    uint32_t restart_at;
    uint16_t boots;
    int16_t temperature_centi_c;
    uint8_t state;
    uint8_t role;
    uint8_t restart;           /* how, once it is time; 0 for none */
    uint8_t led;
    bool is_identifying;
    bool is_logging;           /* a gap is being written to flash */
    bool is_page_filled;       /* `log.page` waits for its way into flash */
    uint8_t board;
    uint8_t serial[8];
    uint8_t calibration[LM_CALIBRATION_BYTES];
    uint8_t scratch[LM_LOG_PAGE_BYTES];
};

/* False if the ring is too small for two frames of the largest size. */
bool lm_core_init(struct lm_core *core, const struct lm_config *config);

/* Does what is due; returns ticks until it wants to be called again if nothing happens before. */
uint32_t lm_core_poll(struct lm_core *core);

/* The radio. A subscription is the host's write to a characteristic's configuration. */
void lm_core_connected(struct lm_core *core);
void lm_core_disconnected(struct lm_core *core);
void lm_core_mtu(struct lm_core *core, uint16_t mtu);
void lm_core_subscribed(struct lm_core *core, uint8_t channel, bool is_on);
void lm_core_sent(struct lm_core *core, uint8_t channel);
uint8_t lm_core_control(struct lm_core *core, const uint8_t *bytes, uint16_t n);
uint8_t lm_core_clock_request(struct lm_core *core, const uint8_t *bytes, uint16_t n, uint32_t received_tick);
void lm_core_status(const struct lm_core *core, uint8_t out[LM_STATUS_BYTES]);
void lm_core_info(const struct lm_core *core, uint8_t out[LM_INFO_BYTES]);
void lm_core_advert(const struct lm_core *core, uint8_t out[LM_ADVERT_BYTES]);

/* The IMU's watermark interrupt, with the tick at which it came. */
void lm_core_imu_irq(struct lm_core *core, uint32_t tick);

/* Samples from elsewhere than the IMU, gyr x y z, acc x y z each; the newest was taken at `tick`, and `lost` are
 * missing before them. Ignored unless streaming. */
void lm_core_feed(struct lm_core *core, const int16_t *samples, uint16_t n, uint32_t tick, uint32_t lost);

/* For callers that cannot see the structure. */
uint32_t lm_core_size(void);
uint8_t lm_core_state(const struct lm_core *core);

#endif
