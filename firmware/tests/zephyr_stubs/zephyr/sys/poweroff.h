#include <zephyr/stub.h>
