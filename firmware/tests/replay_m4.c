/* The replay on QEMU's mps2-an386, a Cortex-M4: startup, files by semihosting, work by SysTick. With -icount shift=0
 * QEMU gives each instruction a nanosecond, so a tick of the 25 MHz SysTick is 40 instructions. */
#include <stddef.h>
#include <stdint.h>

#include "replay_io.h"

#define SYS_OPEN 0x01
#define SYS_CLOSE 0x02
#define SYS_WRITE0 0x04
#define SYS_WRITE 0x05
#define SYS_READ 0x06
#define SYS_EXIT_EXTENDED 0x20
#define STOPPED_APPLICATION_EXIT 0x20026
#define INSTRUCTIONS_A_TICK 40U
#define SYST_CSR (*(volatile uint32_t *)0xE000E010U)
#define SYST_RVR (*(volatile uint32_t *)0xE000E014U)
#define SYST_CVR (*(volatile uint32_t *)0xE000E018U)
#define CPACR (*(volatile uint32_t *)0xE000ED88U)
#define SYST_MAX 0xFFFFFFU

extern uint32_t _stack, _data, _edata, _data_load, _bss, _ebss;
int main(void);
void reset(void);
void fault(void);

static uint8_t buffer[16384];
static uint32_t buffered;
static int out;

static int semihost(int what, const void *with)
{
    register int r0 __asm__("r0") = what;
    register const void *r1 __asm__("r1") = with;

    __asm__ volatile("bkpt 0xAB" : "+r"(r0) : "r"(r1) : "memory");
    return r0;
}

static int open_file(const char *name, uint32_t length, uint32_t mode)
{
    const uint32_t with[3] = {(uint32_t)name, mode, length};

    return semihost(SYS_OPEN, with);
}

uint32_t io_read_all(uint8_t *bytes, uint32_t size)
{
    const int in = open_file("in.bin", 6, 1);
    const uint32_t with[3] = {(uint32_t)in, (uint32_t)bytes, size};
    const uint32_t n = size - (uint32_t)semihost(SYS_READ, with);

    out = open_file("out.bin", 7, 5);
    SYST_RVR = SYST_MAX;
    SYST_CVR = 0;
    SYST_CSR = 5;
    return n;
}

static void flush(void)
{
    const uint32_t with[3] = {(uint32_t)out, (uint32_t)buffer, buffered};

    (void)semihost(SYS_WRITE, with);
    buffered = 0;
}

void io_write(const uint8_t *bytes, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        if (buffered == sizeof buffer) {
            flush();
        }
        buffer[buffered++] = bytes[i];
    }
}

uint32_t io_clock(void)
{
    return SYST_CVR;
}

uint32_t io_clock_since(uint32_t begin)
{
    return (begin - SYST_CVR) & SYST_MAX;
}

static void say_number(uint32_t n)
{
    char text[12];
    uint32_t at = sizeof text - 1U;

    text[at] = '\0';
    do {
        text[--at] = (char)('0' + n % 10U);
        n /= 10U;
    } while (n > 0U);
    (void)semihost(SYS_WRITE0, text + at);
}

void io_report(uint32_t samples, uint64_t work)
{
    flush();
    (void)semihost(SYS_CLOSE, &out);
    say_number(samples);
    (void)semihost(SYS_WRITE0, " samples, ");
    say_number((uint32_t)(work * INSTRUCTIONS_A_TICK / (samples == 0U ? 1U : samples)));
    (void)semihost(SYS_WRITE0, " instructions a sample\n");
}

static void leave(uint32_t status)
{
    const uint32_t with[2] = {STOPPED_APPLICATION_EXIT, status};

    (void)semihost(SYS_EXIT_EXTENDED, with);
    for (;;) {
    }
}

void fault(void)
{
    leave(2);
}

void reset(void)
{
    const uint32_t *from = &_data_load;

    CPACR |= 0xFU << 20;
    for (uint32_t *to = &_data; to < &_edata; to++) {
        *to = *from++;
    }
    for (uint32_t *to = &_bss; to < &_ebss; to++) {
        *to = 0;
    }
    leave((uint32_t)main());
}

__attribute__((section(".vectors"), used)) static void *const VECTORS[16] = {&_stack, reset, fault, fault, fault,
                                                                             fault,   fault};
