/* The entries of a table, in as few bits as hold the largest, eight at least: of 655373 positions that 1000 backends share,
 * ten bits each fit a cache of a megabyte, and two bytes do not. Fewer than eight would take less room still, but an
 * entry that is a byte, entry `position` of `bytes`, needs no shift, and most pools are no larger.
 *
 * That at a position begins at bit bits * position. Words are read in the machine's order, which is little-endian on
 * every platform this is built for.
 */
#ifndef LBALGO_ENTRIES_H
#define LBALGO_ENTRIES_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef struct {
    uint8_t *bytes;
    uint32_t bits, mask; /* 8 to 25, so that four bytes hold them wherever they begin, or 32 */
} Entries;

/* Bits of an entry below `many`. */
static inline uint32_t entries_bits(uint64_t many) {
    uint32_t bits = 8;
    while (bits < 32 && many > (uint64_t)1 << bits) bits++;
    return bits > 25 ? 32 : bits;
}

/* Bytes for so many entries, of which the last four are read as a word wherever they end. */
static inline size_t entries_room(uint64_t size, uint32_t bits) { return (size_t)((size * bits + 7) / 8 + 3); }

static inline uint32_t entries_word(const uint8_t *from) {
    uint32_t word;
    memcpy(&word, from, 4);
    return word;
}

/* The entry that begins at a bit. */
static inline uint32_t entries_at(const Entries *entries, uint64_t bit) {
    return entries_word(entries->bytes + (bit >> 3)) >> (bit & 7) & entries->mask;
}

static inline void entries_pack(const Entries *entries, const int32_t *from, uint64_t size) {
    uint64_t pending = 0;
    uint32_t pended = 0;
    uint8_t *to = entries->bytes;
    for (uint64_t i = 0; i < size; i++) {
        pending |= (uint64_t)(uint32_t)from[i] << pended;
        pended += entries->bits;
        if (pended >= 32) {
            memcpy(to, &pending, 4);
            pending >>= 32;
            pended -= 32;
            to += 4;
        }
    }
    for (; to < entries->bytes + entries_room(size, entries->bits); pending >>= 8) *to++ = (uint8_t)pending;
}

#endif
