/* Flash log: pages of samples that no host heard, kept through power cuts.
 *
 * A page has a number; it lies at that number modulo the flash's pages, so the flash is a ring and a sector is
 * erased when its first page is due. A page is whole or absent: its CRC covers all of it. After a cut the log goes
 * on behind the newest whole page, in the next sector if the place behind it is not blank. Flash work is bounded:
 * one call does at most one erase or one program. */
#ifndef LM_LOG_H
#define LM_LOG_H

#include <stdbool.h>
#include <stdint.h>

#include "lm_port.h"
#include "lm_protocol.h"

struct lm_log {
    const struct lm_port *port;
    uint32_t pages;     /* capacity; 0 without flash */
    uint32_t first;     /* number of the oldest page that may be there */
    uint32_t next;      /* number of the page to be written next */
    uint32_t erase;     /* next page of an erasure under way, up to `next` */
    uint8_t page[LM_LOG_PAGE_BYTES]; /* behind words: some flash drivers want its address aligned */
    uint8_t failures;   /* in a row */
    bool is_erasing;
    bool is_erased;     /* the sector of `next` is ready for it */
};

/* Finds what is there. `bytes` is the flash's size, a multiple of the sector. */
void lm_log_init(struct lm_log *log, const struct lm_port *port, uint32_t bytes);

bool lm_log_is_faulty(const struct lm_log *log);

/* Where the frame of a new page goes (at most LM_LOG_PAGE_SAMPLES samples); only before lm_log_write(). */
uint8_t *lm_log_frame(struct lm_log *log);

/* Moves on with the page that was filled: true when it is safe in flash, false if there is more to do. */
bool lm_log_write(struct lm_log *log, uint32_t session, uint32_t utc_s);

/* Reads a page into `log->page`; false if it is not there or damaged. */
bool lm_log_read(struct lm_log *log, uint32_t number);

/* Starts to forget all pages; lm_log_erase_step() erases a sector a call, oldest first, until it returns true. */
void lm_log_erase(struct lm_log *log);
bool lm_log_erase_step(struct lm_log *log);

#endif
