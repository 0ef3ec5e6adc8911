/* A ball of an urn is one word: its owner (24 bits), the first ball of this owner, and how many the owner has (20 each).
 * So a draw takes one load, and says all there is to know of whom it names. */
#ifndef LBALGO_BALLS_H
#define LBALGO_BALLS_H

#include <stddef.h>
#include <stdint.h>

enum { BALL_START = 24, BALL_OWN = 44 }; /* the bits below */

static inline uint64_t ball(uint64_t owner, uint64_t start, uint64_t own) {
    return owner | start << BALL_START | own << BALL_OWN;
}

static inline ptrdiff_t ball_owner(uint64_t ball) { return (ptrdiff_t)(ball & ((1u << BALL_START) - 1)); }

static inline int64_t ball_own(uint64_t ball) { return (int64_t)(ball >> BALL_OWN); }

/* The product of a ticket and less than 2**32 balls: its upper half names one, its lower half is left of the ticket. */
static inline uint64_t ball_named(uint64_t ticket, uint64_t balls, uint64_t *left) {
    uint64_t low = (ticket & 0xFFFFFFFFu) * balls, sum = (ticket >> 32) * balls + (low >> 32);
    *left = sum << 32 | (low & 0xFFFFFFFFu);
    return sum >> 32;
}

/* The one of these balls that is named next, once all of the first one's owner are taken out. */
static inline uint64_t ball_other(const uint64_t *of, uint64_t balls, uint64_t first, uint64_t left) {
    uint64_t own = first >> BALL_OWN, start = first >> BALL_START & ((1u << (BALL_OWN - BALL_START)) - 1);
    uint64_t at = ball_named(left, balls - own, &left);
    return of[at + (at >= start ? own : 0)];
}

/* Either of two, where nobody could predict which: no branch. */
static inline uint64_t ball_if(int second, uint64_t one, uint64_t two) {
#if defined(__GNUC__) && !defined(__clang__) && __GNUC__ >= 9
    return __builtin_expect_with_probability(second, 1, 0.5) ? two : one;
#else
    return one ^ ((one ^ two) & (0 - (uint64_t)(second != 0)));
#endif
}

#endif
