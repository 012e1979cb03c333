/* NOR flash for tests: programming clears bits, erasing sets a sector, and the power may fail after any byte. */
#ifndef FAKE_FLASH_H
#define FAKE_FLASH_H

#include <stdbool.h>
#include <stdint.h>

#include "lm_log.h"

#define FAKE_FLASH_BYTES 8192

struct fake_flash {
    uint8_t cells[FAKE_FLASH_BYTES];
    uint32_t left;     /* bytes that are still programmed or erased before the power fails */
    bool has_cut;      /* whether it fails at all */
    bool is_dead;      /* it has failed */
};

/* A boot: power is there, and the log finds what is in the cells. */
void fake_flash_boot(struct fake_flash *flash, struct lm_port *port, struct lm_log *log);

/* Writes up to so many pages that hold their number; returns how many are safe when that is done or the power fails. */
uint32_t fake_flash_write(struct lm_log *log, uint32_t pages);

/* Numbers of the pages that are there, at most so many; 0xFFFFFFFF for one that holds another's number. */
uint32_t fake_flash_read(struct lm_log *log, uint32_t *numbers, uint32_t most);

#endif
