/* mix64 and the step of the generator SplitMix64 (Steele, Lea and Flood 2014), for loops that are compiled for each level,
 * and of eight words at once. */
#ifndef LBALGO_MIX_LANES_H
#define LBALGO_MIX_LANES_H

#include "lanes.h"

#define MIX_GAMMA 0x9E3779B97F4A7C15ULL
#define MIX_FIRST 0xBF58476D1CE4E5B9ULL
#define MIX_SECOND 0x94D049BB133111EBULL

LANES_BODY uint64_t mix_word(uint64_t z) {
    z = (z ^ (z >> 30)) * MIX_FIRST;
    z = (z ^ (z >> 27)) * MIX_SECOND;
    return z ^ (z >> 31);
}

#if LANES_X86
LANES_IN_AVX512 static inline __m512i mix_eight(__m512i z) {
    const __m512i first = _mm512_set1_epi64((long long)MIX_FIRST), second = _mm512_set1_epi64((long long)MIX_SECOND);
    z = _mm512_mullo_epi64(_mm512_xor_si512(z, _mm512_srli_epi64(z, 30)), first);
    z = _mm512_mullo_epi64(_mm512_xor_si512(z, _mm512_srli_epi64(z, 27)), second);
    return _mm512_xor_si512(z, _mm512_srli_epi64(z, 31));
}
#endif

#endif
