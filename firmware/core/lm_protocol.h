/* The sensor protocol, version 1: docs/sensor-protocol.md. A test compares every number here with
 * docs/sensor-protocol.toml, so a change begins there. */
#ifndef LM_PROTOCOL_H
#define LM_PROTOCOL_H

#define LM_VERSION 1
#define LM_TICK_HZ 32768
#define LM_MTU_MIN 247

/* Frame of the data characteristic: header, then n samples of gyr x y z, acc x y z, each i16. */
#define LM_FRAME_MAX_SAMPLES 19
#define LM_FRAME_MIN_SAMPLES_ASKED 4
#define LM_FRAME_SAMPLE_BYTES 12
#define LM_FRAME_TYPE 0
#define LM_FRAME_N 1
#define LM_FRAME_FLAGS 2
#define LM_FRAME_EPOCH 3
#define LM_FRAME_INDEX 4
#define LM_FRAME_TICK 8
#define LM_FRAME_HEADER_BYTES 12

#define LM_KIND_LIVE 0
#define LM_KIND_RESEND 1
#define LM_KIND_WITH_TEMPERATURE 2

#define LM_FLAG_GAP_BEFORE 1
#define LM_FLAG_CLIPPED 2
#define LM_FLAG_CLOCK_STEP 4
#define LM_FLAG_MARK 8

/* Characteristics: the 16 bits that vary in the UUID base. */
#define LM_UUID_SERVICE 0x0000
#define LM_UUID_DATA 0x0001
#define LM_UUID_CONTROL 0x0002
#define LM_UUID_STATUS 0x0003
#define LM_UUID_CLOCK 0x0004
#define LM_UUID_INFO 0x0005
#define LM_UUID_LOG 0x0006

/* Commands: {command, tag, payload}; the payload's length is fixed but for RESEND. */
#define LM_COMMAND_START 0x01
#define LM_COMMAND_STOP 0x02
#define LM_COMMAND_RESEND 0x03
#define LM_COMMAND_SET_ROLE 0x04
#define LM_COMMAND_SET_UTC 0x05
#define LM_COMMAND_MARK 0x06
#define LM_COMMAND_IDENTIFY 0x07
#define LM_COMMAND_LOG_LIST 0x08
#define LM_COMMAND_LOG_READ 0x09
#define LM_COMMAND_LOG_ERASE 0x0A
#define LM_COMMAND_CONNECTION 0x0B
#define LM_COMMAND_BOOTLOADER 0x0C
#define LM_COMMAND_SLEEP 0x0D
#define LM_COMMAND_SET_CALIBRATION 0x0E

#define LM_PAYLOAD_START 6
#define LM_PAYLOAD_STOP 0
#define LM_PAYLOAD_SET_ROLE 1
#define LM_PAYLOAD_SET_UTC 8
#define LM_PAYLOAD_MARK 0
#define LM_PAYLOAD_IDENTIFY 1
#define LM_PAYLOAD_LOG_LIST 0
#define LM_PAYLOAD_LOG_READ 6
#define LM_PAYLOAD_LOG_ERASE 0
#define LM_PAYLOAD_CONNECTION 8
#define LM_PAYLOAD_BOOTLOADER 4
#define LM_PAYLOAD_SLEEP 0
#define LM_PAYLOAD_SET_CALIBRATION 28
#define LM_RANGE_BYTES 6

/* Results: {marker, command, tag, code, payload}. */
#define LM_RESULT_MARKER 0x80
#define LM_RESULT_HEADER_BYTES 4
#define LM_CODE_OK 0
#define LM_CODE_UNKNOWN_COMMAND 1
#define LM_CODE_WRONG_LENGTH 2
#define LM_CODE_BAD_VALUE 3
#define LM_CODE_WRONG_STATE 4
#define LM_CODE_BUSY 5
#define LM_CODE_HARDWARE 6
#define LM_CODE_MTU_TOO_SMALL 7
#define LM_CODE_NOT_THERE 8

#define LM_ROLE_NONE 0
#define LM_ROLE_PELVIS 1
#define LM_ROLE_LEFT_THIGH 2
#define LM_ROLE_RIGHT_THIGH 3
#define LM_ROLE_TRUNK 4

#define LM_STATE_IDLE 0
#define LM_STATE_READY 1
#define LM_STATE_STREAMING 2
#define LM_STATE_UNLINKED 3
#define LM_STATE_OFF 4

#define LM_STATUS_CHARGING 1
#define LM_STATUS_BATTERY_LOW 2
#define LM_STATUS_IMU_FAULT 4
#define LM_STATUS_LOG_FAULT 8
#define LM_STATUS_LOG_HAS_PAGES 16
#define LM_STATUS_LOG_ERASING 32
#define LM_STATUS_UTC_KNOWN 64
#define LM_STATUS_BYTES 24

#define LM_CLOCK_REQUEST_BYTES 4
#define LM_CLOCK_ANSWER_BYTES 12

#define LM_INFO_BYTES 76
#define LM_INFO_CALIBRATION 44
#define LM_CALIBRATION_BYTES 32

#define LM_LOG_PAGE_FLASH_BYTES 256
#define LM_LOG_PAGE_BYTES 244
#define LM_LOG_PAGE_SAMPLES 18
#define LM_LOG_SECTOR_BYTES 4096
#define LM_LOG_MAGIC 0x4D4C
#define LM_LOG_HEADER_BYTES 16
#define LM_LOG_END_BYTES 8

#define LM_ADVERT_BYTES 6

#define LM_LIMIT_MAX_QUEUED 5
#define LM_LIMIT_MAX_RANGES 16
#define LM_LIMIT_RESULT_BYTES 16
#define LM_LIMIT_BOOTLOADER_KEY 0x544F4F42

#endif
