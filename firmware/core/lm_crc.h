/* Checksums: CRC-16/CCITT-FALSE for what lies in flash, CRC-32 (as zlib) for the calibration record. */
#ifndef LM_CRC_H
#define LM_CRC_H

#include <stdint.h>

uint16_t lm_crc16(const uint8_t *bytes, uint32_t n);
uint32_t lm_crc32(const uint8_t *bytes, uint32_t n);

#endif
