/* CRC-32C (Castagnoli), as iSCSI, ext4 and Kafka use it; by the processor where it can. */
#ifndef FRESHET_CRC32C_H
#define FRESHET_CRC32C_H

#include <stddef.h>
#include <stdint.h>

/* Of the bytes behind those that gave crc; 0 at the beginning. */
uint32_t crc32c(uint32_t crc, const void *bytes, size_t len);
/* The same by table, for the test that both agree. */
uint32_t crc32c_by_table(uint32_t crc, const void *bytes, size_t len);

#endif
