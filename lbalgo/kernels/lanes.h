/* SIMD in three levels, chosen at run time: portable C, AVX2, and AVX-512 (F, DQ, VL, BW).
 *
 * A wheel is built for the least of its processors. What more a processor has is asked of it once, when
 * `lbalgo.kernels.lanes` is imported, and is used by functions that are compiled for it one by one; nothing else is.
 * The levels are ordered, and a processor that has one has all below it. Where there is no x86-64, or no gcc or clang,
 * only the portable level exists: LANES_X86 is 0 and everything that names an instruction set has to stand under
 * `#if LANES_X86`.
 *
 * How a kernel gets variants, for example `count` of kernels/NAME.pyx:
 *
 *   1. A header kernels/NAME_lanes.h includes this one and defines, with equal parameters and equal results,
 *          static void count_portable(const uint64_t *in, int32_t *out, ptrdiff_t n) { ... }
 *          #if LANES_X86
 *          LANES_IN_AVX2 static void count_avx2(...) { ... }        (intrinsics of AVX2 and below)
 *          LANES_IN_AVX512 static void count_avx512(...) { ... }    (intrinsics of AVX-512 and below)
 *          #endif
 *          static inline void count(int level, ...) { LANES_CALL(level, count, in, out, n); }
 *      Helpers of a variant carry the same attribute and `inline`. A level that would gain nothing is the one below:
 *      `#define count_avx512 count_avx2`.
 *   2. NAME.pyx says
 *          from lbalgo.kernels.lanes cimport lanes_in_use
 *          cdef extern from "NAME_lanes.h" nogil:
 *              void count(int level, const uint64_t *tickets, int32_t *out, Py_ssize_t n) noexcept
 *      and calls `count(lanes_in_use, ...)`. Its .pxd stays free of both, so that who cimports it needs no header.
 *   3. Tests run it on every level of `lanes.levels()`, by `tests.levels.at_every_level`.
 *
 * Every variant gives the same bits: integers by the same arithmetic, doubles by the same operations in the same order.
 * The build forbids contraction to fused multiply-add (CMakeLists.txt), in vectors too; ask for it by no intrinsic, but
 * where what it leads to is shown to be the same bits.
 * AVX2 loads by _mm256_lddqu_si256: gcc splits _mm256_loadu_si256 in two for processors that are no more.
 */
#ifndef LBALGO_LANES_H
#define LBALGO_LANES_H

#include <stddef.h>
#include <stdint.h>

enum { LANES_PORTABLE, LANES_AVX2, LANES_AVX512 };

#if defined(__x86_64__) && (defined(__GNUC__) || defined(__clang__))
#define LANES_X86 1
#include <immintrin.h>

#define LANES_IN_AVX2 __attribute__((target("avx2")))
#define LANES_IN_AVX512 __attribute__((target("avx512f,avx512dq,avx512vl,avx512bw")))
/* A text that every level compiles for itself, for kernels that need no intrinsics. */
#define LANES_BODY static inline __attribute__((always_inline))
#define LANES_CALL(level, name, ...)                          \
    ((level) >= LANES_AVX512 ? name##_avx512(__VA_ARGS__)     \
     : (level) == LANES_AVX2 ? name##_avx2(__VA_ARGS__)       \
                             : name##_portable(__VA_ARGS__))

/* The highest level of this processor; the operating system's consent to the wider registers included. */
static inline int lanes_of_cpu(void) {
    __builtin_cpu_init();
    if (!__builtin_cpu_supports("avx2")) return LANES_PORTABLE;
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl")
                   && __builtin_cpu_supports("avx512bw")
               ? LANES_AVX512
               : LANES_AVX2;
}
#else
#define LANES_X86 0
#define LANES_BODY static inline
#define LANES_CALL(level, name, ...) ((void)(level), name##_portable(__VA_ARGS__))

static inline int lanes_of_cpu(void) { return LANES_PORTABLE; }
#endif

#endif
