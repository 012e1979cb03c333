/* Little-endian numbers in byte arrays: the same bytes on every target, whatever its alignment rules. */
#ifndef LM_BYTES_H
#define LM_BYTES_H

#include <stdint.h>

static inline void lm_put_u16(uint8_t *to, uint16_t value)
{
    to[0] = (uint8_t)(value & 0xFFU);
    to[1] = (uint8_t)(value >> 8);
}

static inline void lm_put_u32(uint8_t *to, uint32_t value)
{
    lm_put_u16(to, (uint16_t)(value & 0xFFFFU));
    lm_put_u16(to + 2, (uint16_t)(value >> 16));
}

static inline uint16_t lm_get_u16(const uint8_t *from)
{
    return (uint16_t)(from[0] | ((unsigned)from[1] << 8));
}

static inline uint32_t lm_get_u32(const uint8_t *from)
{
    return (uint32_t)lm_get_u16(from) | ((uint32_t)lm_get_u16(from + 2) << 16);
}

/* Whether a comes before b on a counter that wraps; they must be less than half its range apart. */
static inline int lm_before(uint32_t a, uint32_t b)
{
    return (a - b) >> 31 != 0U;
}

#endif
