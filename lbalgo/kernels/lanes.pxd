cdef int lanes_in_use  # LANES_PORTABLE, LANES_AVX2 or LANES_AVX512 of lanes.h
