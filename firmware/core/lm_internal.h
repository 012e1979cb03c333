/* What the core's files share with each other and with nobody else. */
#ifndef LM_INTERNAL_H
#define LM_INTERNAL_H

#include "lm_core.h"

/* lm_stream.c: samples to frames in the ring. */
bool lm_stream_start(struct lm_core *core, const struct lm_stream_settings *settings);
void lm_stream_end(struct lm_core *core);
void lm_stream_lost(struct lm_core *core, uint32_t n, bool is_step);
/* `age` is that of the last of the n samples, counted from the newest that the clock knows. */
void lm_stream_push(struct lm_core *core, const uint8_t *samples, uint8_t n, uint32_t age);
/* Copies up to `max` samples that follow each other, from `index` or the oldest after it, into one frame; returns
 * how many, and in `index` the first one's. */
uint8_t lm_stream_gather(const struct lm_core *core, uint32_t *index, uint8_t max, uint8_t *frame);
uint32_t lm_stream_oldest(const struct lm_core *core);

/* lm_link.c: what goes out, and in which order. */
void lm_link_reset(struct lm_core *core);
void lm_link_send(struct lm_core *core, uint32_t now);
bool lm_link_is_busy(const struct lm_core *core);

/* lm_command.c */
void lm_command_result(struct lm_core *core, uint8_t command, uint8_t tag, uint8_t code, const uint8_t *payload,
                       uint8_t n);

/* lm_outage.c: what no host hears goes to flash. */
void lm_outage_begin(struct lm_core *core);
void lm_outage_end(struct lm_core *core);
bool lm_outage_step(struct lm_core *core);
void lm_outage_flush(struct lm_core *core);

/* lm_settings.c */
void lm_settings_load(struct lm_core *core);
bool lm_settings_save(struct lm_core *core);

/* lm_core.c */
void lm_core_enter(struct lm_core *core, uint8_t state);
uint8_t lm_core_begin(struct lm_core *core, const struct lm_stream_settings *settings);
void lm_core_end(struct lm_core *core);
void lm_core_restart(struct lm_core *core, uint8_t how);
uint32_t lm_core_utc_s(const struct lm_core *core);

static inline uint32_t lm_now(const struct lm_core *core)
{
    return core->port->now(core->port->user);
}

#endif
