#include "fake_flash.h"

#include <string.h>

#include "lm_bytes.h"
#include "lm_protocol.h"

#define SECTOR 4096U

/* Bytes of n that get done before the power fails. */
static uint32_t spend(struct fake_flash *flash, uint32_t n)
{
    const uint32_t done = flash->has_cut && flash->left < n ? flash->left : n;

    flash->left -= flash->has_cut ? done : 0U;
    flash->is_dead = done < n;
    return done;
}

static int read(void *user, uint32_t at, uint8_t *bytes, uint32_t n)
{
    const struct fake_flash *flash = user;

    memcpy(bytes, flash->cells + at, n);
    return flash->is_dead ? -1 : 0;
}

static int program(void *user, uint32_t at, const uint8_t *bytes, uint32_t n)
{
    struct fake_flash *flash = user;

    if (flash->is_dead) {
        return -1;
    }
    const uint32_t done = spend(flash, n);

    for (uint32_t i = 0; i < done; i++) {
        flash->cells[at + i] &= bytes[i];
    }
    return done == n ? 0 : -1;
}

static int erase(void *user, uint32_t at)
{
    struct fake_flash *flash = user;

    if (flash->is_dead) {
        return -1;
    }
    const uint32_t done = spend(flash, SECTOR);

    memset(flash->cells + at, 0xFF, done);
    return done == SECTOR ? 0 : -1;
}

void fake_flash_boot(struct fake_flash *flash, struct lm_port *port, struct lm_log *log)
{
    memset(port, 0, sizeof *port);
    port->user = flash;
    port->flash_read = read;
    port->flash_program = program;
    port->flash_erase = erase;
    flash->is_dead = false;
    lm_log_init(log, port, FAKE_FLASH_BYTES);
}

uint32_t fake_flash_write(struct lm_log *log, uint32_t pages)
{
    const struct fake_flash *flash = log->port->user;

    for (uint32_t safe = 0; safe < pages; safe++) {
        bool is_safe = false;

        while (!is_safe && !flash->is_dead) {
            /* The place of a page that could not be written is passed over, and the page has another number. */
            lm_put_u32(lm_log_frame(log), log->next);
            is_safe = lm_log_write(log, 7, 0);
        }
        if (!is_safe) {
            return safe;
        }
    }
    return pages;
}

uint32_t fake_flash_read(struct lm_log *log, uint32_t *numbers, uint32_t most)
{
    uint32_t n = 0;

    for (uint32_t number = log->first; number != log->next && n < most; number++) {
        if (lm_log_read(log, number)) {
            numbers[n] = lm_get_u32(log->page + LM_LOG_HEADER_BYTES) == number ? number : UINT32_MAX;
            n++;
        }
    }
    return n;
}
