#ifndef LBALGO_BITS_H
#define LBALGO_BITS_H

#include <stdint.h>

/* Position of the lowest bit that is set in a word, not 0. */
static inline int lowest(uint64_t word) {
#if defined(__GNUC__) || defined(__clang__)
    return __builtin_ctzll(word);
#else
    int at = 0;
    for (int step = 32; step > 0; step >>= 1) {
        if ((word & (((uint64_t)1 << step) - 1)) == 0) {
            word >>= step;
            at += step;
        }
    }
    return at;
#endif
}

/* How many bits of a word are set, where the processor need not have an instruction for it. */
static inline int ones(uint64_t word) {
    word -= (word >> 1) & 0x5555555555555555u;
    word = (word & 0x3333333333333333u) + ((word >> 2) & 0x3333333333333333u);
    word = (word + (word >> 4)) & 0x0f0f0f0f0f0f0f0fu;
    return (int)((word * 0x0101010101010101u) >> 56);
}

#endif
