/* -ln(m * 2**-53) for odd whole m below 2**53, within 1.75 units in the last place, strictly falling in m.
 *
 * As mantissa times 2**-c with the mantissa in [sqrt(1/2), sqrt(2)) and f = mantissa - 1, s = f / (2 + f):
 * ln(1 + f) = 2 atanh(s) = f - s * (f - r) with r = 2 (s**2/3 + s**4/5 + ...). c * 0.693... is exact in its high part
 * (47 bits). IEEE + - * / in one order and no branch, so that in any lanes the bits are the same. */
#ifndef LBALGO_NEG_LOG_H
#define LBALGO_NEG_LOG_H

#include <stdint.h>
#include <string.h>

#if defined(__GNUC__) || defined(__clang__)
#define NEG_LOG_INLINE static inline __attribute__((always_inline))
#else
#define NEG_LOG_INLINE static inline
#endif

NEG_LOG_INLINE double neg_log_double(uint64_t bits) {
    double value;
    memcpy(&value, &bits, 8);
    return value;
}

NEG_LOG_INLINE double neg_log_of(double m) {
    const uint64_t one = 0x3FF0000000000000ULL, half_root = 0x3FE6A09E667F3BCDULL; /* bits of 1.0 and of sqrt(1/2) */
    double c, f, s, z, zz, r;
    uint64_t bits;
    memcpy(&bits, &m, 8);
    bits += one - half_root; /* carries into the exponent where the mantissa is at least sqrt(2) */
    c = 1076.0 - (neg_log_double((bits >> 52) | 0x4330000000000000ULL) - 0x1p52); /* the mantissa of 2**52 + exponent */
    f = neg_log_double((bits & 0xFFFFFFFFFFFFFULL) + half_root) - 1.0;
    s = f / (2.0 + f);
    z = s * s;
    zz = z * z;
    r = z * ((2.0 / 3 + zz * (2.0 / 7 + zz * (2.0 / 11 + zz * (2.0 / 15 + zz * (2.0 / 19)))))
             + z * (2.0 / 5 + zz * (2.0 / 9 + zz * (2.0 / 13 + zz * (2.0 / 17 + zz * (2.0 / 21))))));
    return c * 0.6931471805599401 - (f - (s * (f - r) + c * 5.2412386838766985e-15));
}

#endif
