cdef enum:
    WHEN = 0
    WHAT = 1
    STAMP = 2
    THEN = 3
    FIELDS = 4

cdef Py_ssize_t LEAST
cdef enum:
    CREDIT = 6
    SAVED = 4096
cdef enum:
    LAST_DAY = 4611686018427387904
cdef double FINEST, CROWD

@cython.final
cdef class EventQueue:
    cdef readonly Py_ssize_t count
    cdef readonly double when
    cdef readonly long long what, stamp
    cdef Py_ssize_t size, room, spare
    cdef long long day, slack
    cdef double rate, soonest
    cdef double[::1] events
    cdef long long[::1] marks
    cdef int[::1] pages
    @cython.locals(event=Py_ssize_t)
    cpdef int push(self, double when, long long what, long long stamp) except -1
    @cython.locals(day=cython.longlong, page=Py_ssize_t, last=Py_ssize_t, before=Py_ssize_t, at=Py_ssize_t)
    cdef inline void _insert(self, Py_ssize_t event, double when) noexcept
    @cython.locals(page=Py_ssize_t, event=Py_ssize_t, after=Py_ssize_t, steps=Py_ssize_t)
    cpdef bint pop(self, double limit) noexcept
    @cython.locals(days=double)
    cdef inline long long _day(self, double when) noexcept
    @cython.locals(day=cython.longlong, page=Py_ssize_t, event=Py_ssize_t)
    cdef void _skip(self) noexcept
    @cython.locals(page=Py_ssize_t)
    cdef object _pages(self, Py_ssize_t size)
    @cython.locals(number=Py_ssize_t)
    cdef object _offer(self, Py_ssize_t low)
    cdef object _grow(self)
    @cython.locals(page=Py_ssize_t, event=Py_ssize_t)
    cdef object _lay_out(self)

cdef object floats(Py_ssize_t n)
cdef object integers(Py_ssize_t n)
cdef object places(Py_ssize_t n)
cdef tuple twofold(Py_ssize_t n, object kind)
cdef tuple wider(object numbers, object integers, Py_ssize_t n)
