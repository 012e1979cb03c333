/* What the replay needs of the machine it runs on. */
#ifndef REPLAY_IO_H
#define REPLAY_IO_H

#include <stdint.h>

uint32_t io_read_all(uint8_t *bytes, uint32_t size);
void io_write(const uint8_t *bytes, uint32_t n);
/* A counter of work done, in units of io_report()'s choice; 0 where there is none. */
uint32_t io_clock(void);
uint32_t io_clock_since(uint32_t begin);
void io_report(uint32_t samples, uint64_t work);

#endif
