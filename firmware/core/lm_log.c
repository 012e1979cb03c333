#include "lm_log.h"

#include <stddef.h>
#include <string.h>

#include "lm_bytes.h"
#include "lm_crc.h"

#define SECTOR_PAGES (LM_LOG_SECTOR_BYTES / LM_LOG_PAGE_FLASH_BYTES)
#define FAILURES_TO_GIVE_UP 8
#define CRC_AT 2
#define PAGE_AT 4
#define SESSION_AT 8
#define UTC_AT 12
#define BLANK_CHUNK 64U

static uint32_t address(const struct lm_log *log, uint32_t number)
{
    return number % log->pages * LM_LOG_PAGE_FLASH_BYTES;
}

static uint16_t checksum(const struct lm_log *log)
{
    return lm_crc16(log->page + PAGE_AT, LM_LOG_PAGE_BYTES - PAGE_AT);
}

static bool read_at(struct lm_log *log, uint32_t position, uint32_t *number)
{
    const struct lm_port *port = log->port;
    const uint32_t at = position * LM_LOG_PAGE_FLASH_BYTES;

    /* The header first: most of a young log is blank. */
    if (port->flash_read(port->user, at, log->page, LM_LOG_HEADER_BYTES) != 0 ||
        lm_get_u16(log->page) != LM_LOG_MAGIC) {
        return false;
    }
    if (port->flash_read(port->user, at, log->page, LM_LOG_PAGE_BYTES) != 0) {
        return false;
    }
    *number = lm_get_u32(log->page + PAGE_AT);
    return lm_get_u16(log->page) == LM_LOG_MAGIC && *number % log->pages == position &&
           lm_get_u16(log->page + CRC_AT) == checksum(log);
}

static bool is_blank(struct lm_log *log, uint32_t number)
{
    const uint32_t at = address(log, number);

    for (uint32_t done = 0; done < LM_LOG_PAGE_FLASH_BYTES; done += BLANK_CHUNK) {
        if (log->port->flash_read(log->port->user, at + done, log->page, BLANK_CHUNK) != 0) {
            return false;
        }
        for (uint32_t i = 0; i < BLANK_CHUNK; i++) {
            if (log->page[i] != 0xFFU) {
                return false;
            }
        }
    }
    return true;
}

static void next_sector(struct lm_log *log)
{
    log->next = (log->next + SECTOR_PAGES - 1U) / SECTOR_PAGES * SECTOR_PAGES;
    log->is_erased = false;
}

/* Oldest and newest whole page of the flash; false if there is none. */
static bool find_ends(struct lm_log *log, uint32_t *oldest, uint32_t *newest)
{
    bool is_found = false;

    for (uint32_t position = 0; position < log->pages; position++) {
        uint32_t number;

        if (!read_at(log, position, &number)) {
            continue;
        }
        *oldest = !is_found || number < *oldest ? number : *oldest;
        *newest = !is_found || number > *newest ? number : *newest;
        is_found = true;
    }
    return is_found;
}

void lm_log_init(struct lm_log *log, const struct lm_port *port, uint32_t bytes)
{
    uint32_t newest = 0;

    *log = (struct lm_log){.port = port};
    if (port->flash_read == NULL || port->flash_program == NULL || port->flash_erase == NULL) {
        return;
    }
    log->pages = bytes / LM_LOG_SECTOR_BYTES * SECTOR_PAGES;
    if (log->pages < 2U * SECTOR_PAGES) {
        log->pages = 0;
        return;
    }
    if (!find_ends(log, &log->first, &newest)) {
        return;
    }
    log->next = newest + 1U;
    if (log->next % SECTOR_PAGES != 0U) {
        log->is_erased = is_blank(log, log->next);
        if (!log->is_erased) {
            next_sector(log);
        }
    }
}

bool lm_log_is_faulty(const struct lm_log *log)
{
    return log->failures >= FAILURES_TO_GIVE_UP;
}

uint8_t *lm_log_frame(struct lm_log *log)
{
    memset(log->page, 0xFF, sizeof log->page);
    return log->page + LM_LOG_HEADER_BYTES;
}

static bool prepare_sector(struct lm_log *log)
{
    const uint32_t after = log->next / SECTOR_PAGES * SECTOR_PAGES + SECTOR_PAGES;

    if (log->port->flash_erase(log->port->user, address(log, log->next)) != 0) {
        log->failures++;
        log->next++;
        next_sector(log);
        return false;
    }
    log->is_erased = true;
    if (after > log->pages && log->first < after - log->pages) {
        log->first = after - log->pages;
    }
    return true;
}

/* What flash holds is what counts: a worn cell fails here and not when the page is wanted. */
static bool is_written(struct lm_log *log, uint32_t number)
{
    _Alignas(4) uint8_t back[32];
    const uint32_t at = address(log, number);

    for (uint32_t done = 0; done < LM_LOG_PAGE_BYTES; done += (uint32_t)sizeof back) {
        const uint32_t rest = LM_LOG_PAGE_BYTES - done;
        const uint32_t n = rest < sizeof back ? rest : (uint32_t)sizeof back;

        if (log->port->flash_read(log->port->user, at + done, back, n) != 0 ||
            memcmp(back, log->page + done, n) != 0) {
            return false;
        }
    }
    return true;
}

bool lm_log_write(struct lm_log *log, uint32_t session, uint32_t utc_s)
{
    if (log->pages == 0U || lm_log_is_faulty(log)) {
        return true; /* nowhere to write: what is not in the ring is lost, and the status says so */
    }
    if (!log->is_erased) {
        (void)prepare_sector(log);
        return false;
    }
    const uint32_t number = log->next;

    lm_put_u16(log->page, LM_LOG_MAGIC);
    lm_put_u32(log->page + PAGE_AT, number);
    lm_put_u32(log->page + SESSION_AT, session);
    lm_put_u32(log->page + UTC_AT, utc_s);
    lm_put_u16(log->page + CRC_AT, checksum(log));
    log->next++;
    log->is_erased = log->next % SECTOR_PAGES != 0U;
    if (log->port->flash_program(log->port->user, address(log, number), log->page, LM_LOG_PAGE_BYTES) != 0 ||
        !is_written(log, number)) {
        log->failures++;
        return false;
    }
    log->failures = 0;
    return true;
}

bool lm_log_read(struct lm_log *log, uint32_t number)
{
    uint32_t found;

    return log->pages != 0U && number - log->first < log->next - log->first &&
           read_at(log, number % log->pages, &found) && found == number;
}

void lm_log_erase(struct lm_log *log)
{
    log->erase = log->first / SECTOR_PAGES * SECTOR_PAGES;
    log->is_erasing = log->pages != 0U && log->next != log->first;
}

bool lm_log_erase_step(struct lm_log *log)
{
    if (log->is_erasing) {
        /* Oldest first: a cut between two sectors leaves the newest pages, and so the numbering. */
        if (log->port->flash_erase(log->port->user, address(log, log->erase)) != 0) {
            log->failures++;
        }
        log->erase += SECTOR_PAGES;
        log->is_erasing = lm_before(log->erase, log->next);
        log->first = log->is_erasing ? log->erase : log->next;
        if (!log->is_erasing && log->next % SECTOR_PAGES != 0U) {
            log->is_erased = true;
        }
    }
    return !log->is_erasing;
}
