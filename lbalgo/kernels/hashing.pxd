from libc.stdint cimport uint64_t, uint8_t

cdef extern from *:
    """
    #define LBALGO_GAMMA 0x9E3779B97F4A7C15ULL
    #define LBALGO_WORD 0xFFFFFFFFFFFFFFFFULL
    """
    const uint64_t GAMMA "LBALGO_GAMMA"  # SplitMix64's increment, 2**64 / golden ratio
    const uint64_t WORD "LBALGO_WORD"

cdef enum:
    KIND_XXH64 = 0
    KIND_SIPHASH = 1
    KIND_FUNCTION = 2
    KIND_RAW = 3

cdef uint64_t c_xxh64(const uint8_t *data, size_t length, uint64_t seed) noexcept nogil
cdef uint64_t c_siphash24(const uint8_t *data, size_t length, uint64_t k0, uint64_t k1) noexcept nogil

cdef inline uint64_t c_fold(uint64_t z) noexcept nogil:
    """The first step of mix64: of a ^ b it is that of a ^ that of b."""
    return z ^ (z >> 30)

cdef inline uint64_t c_mix_folded(uint64_t z) noexcept nogil:
    """The other steps."""
    z *= <uint64_t>0xBF58476D1CE4E5B9
    z = (z ^ (z >> 27)) * <uint64_t>0x94D049BB133111EB
    return z ^ (z >> 31)

cdef inline uint64_t c_mix64(uint64_t z) noexcept nogil:
    """SplitMix64's finaliser (Steele, Lea, Flood 2014): a bijection of 64 bits with full avalanche."""
    return c_mix_folded(c_fold(z))

cdef class KeyHasher:
    cdef readonly int kind
    cdef readonly uint64_t seed
    cdef uint64_t k0, k1
    cdef object function
    cdef uint64_t digest(self, const uint8_t *data, size_t length) except? 0
    cdef uint64_t hash(self, object key) except? 0
    cdef uint64_t hash_other(self, object key) except? 0
