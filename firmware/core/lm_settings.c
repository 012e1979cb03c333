#include <stddef.h>
#include <string.h>

#include "lm_bytes.h"
#include "lm_crc.h"
#include "lm_internal.h"

#define LAYOUT 1
#define ROLE_AT 1
#define EPOCH_AT 2
#define BOOTS_AT 4
#define CALIBRATION_AT 6
#define CRC_AT (CALIBRATION_AT + LM_CALIBRATION_BYTES)
#define BYTES (CRC_AT + 2)

void lm_settings_load(struct lm_core *core)
{
    uint8_t *bytes = core->scratch;

    if (core->port->settings_load == NULL || core->port->settings_load(core->port->user, bytes, BYTES) != 0 ||
        bytes[0] != LAYOUT || lm_get_u16(bytes + CRC_AT) != lm_crc16(bytes, CRC_AT)) {
        /* A first start, or a settings store that was lost: any epoch that is likely not to be the last one. */
        core->stream.epoch = (uint8_t)core->port->random(core->port->user);
        return;
    }
    core->role = bytes[ROLE_AT];
    core->stream.epoch = bytes[EPOCH_AT];
    core->boots = lm_get_u16(bytes + BOOTS_AT);
    memcpy(core->calibration, bytes + CALIBRATION_AT, LM_CALIBRATION_BYTES);
}

bool lm_settings_save(struct lm_core *core)
{
    uint8_t *bytes = core->scratch;

    if (core->port->settings_save == NULL) {
        return true;
    }
    memset(bytes, 0, BYTES);
    bytes[0] = LAYOUT;
    bytes[ROLE_AT] = core->role;
    bytes[EPOCH_AT] = core->stream.epoch;
    lm_put_u16(bytes + BOOTS_AT, core->boots);
    memcpy(bytes + CALIBRATION_AT, core->calibration, LM_CALIBRATION_BYTES);
    lm_put_u16(bytes + CRC_AT, lm_crc16(bytes, CRC_AT));
    return core->port->settings_save(core->port->user, bytes, BYTES) == 0;
}
