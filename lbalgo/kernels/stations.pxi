cdef enum:
    SLOTS = 0
    SHARING = 1
    LIMIT = 2
    UP = 3
    PRESENT = 4
    MOST = 5
    FIRST = 6
    LAST = 7
cdef enum:
    SINCE = 4
    BUSY = 5
    JOBS = 6
    SLOWNESS = 7
cdef enum:
    VIRTUAL = 0
    SPEED = 1
    TURN = 2
    RARE = 3
cdef enum:
    PLACE = 0
    SERVER = 1
    MARK = 2
    NUMBER = 3
    AFTER = 4
    LEFT = 5
    CLIENT = 6
    VERDICT = 7
cdef enum:
    WORK = 4
    AT = 5
    BEGAN = 6
    KEY = 7
cdef enum:
    GAUGES = 8
    COUNTS = 16
    WORKS = 8
    LINKS = 16

cdef enum:
    ENDS = 0
    SHARES = 1
    KINDS = 3
cdef enum:
    UNUSED = 0
    OUTSIDE = 1
    WAITING = 2
    SERVED = 3
    SHARED = 4
    GONE = 5
cdef enum:
    NUMBERS = 1073741823
cdef enum:
    ACCEPTED = -1
    FULL = 3
    REFUSED = 4

cdef Py_ssize_t ROOM

@cython.final
cdef class Stations:
    cdef EventQueue queue
    cdef readonly Py_ssize_t servers, room
    cdef Py_ssize_t spare
    cdef readonly long long taken
    cdef int[::1] counts, links
    cdef double[::1] gauges, works, rare
    @cython.locals(job=Py_ssize_t, at=Py_ssize_t)
    cpdef Py_ssize_t take(self) except -1
    cpdef int free(self, Py_ssize_t job) except -1
    @cython.locals(at=Py_ssize_t)
    cdef inline void _free(self, Py_ssize_t job) noexcept
    @cython.locals(present=cython.longlong, slots=cython.longlong, limit=cython.longlong, at=Py_ssize_t, link=Py_ssize_t)
    cpdef int submit(self, Py_ssize_t job, Py_ssize_t server, double work, double now) except -2
    @cython.locals(slowness=double, link=Py_ssize_t)
    cdef inline int _serve(self, Py_ssize_t job, double work, double now) except -1
    cpdef bint ended(self, Py_ssize_t job, long long mark, double now) except -1
    @cython.locals(server=Py_ssize_t, at=Py_ssize_t, after=Py_ssize_t)
    cdef inline int _leave(self, Py_ssize_t job, double now) except -1
    @cython.locals(job=Py_ssize_t, at=Py_ssize_t, rare=Py_ssize_t)
    cpdef Py_ssize_t shared_end(self, Py_ssize_t server, long long mark, double now) except -2
    @cython.locals(link=Py_ssize_t)
    cdef void _unroot(self, Py_ssize_t server, Py_ssize_t job) noexcept
    @cython.locals(job=Py_ssize_t, pace=double, rest=double, due=double, at=Py_ssize_t, rare=Py_ssize_t)
    cdef int _next_end(self, Py_ssize_t server, double now) except -1
    @cython.locals(present=cython.longlong, slots=cython.longlong, speed=double)
    cdef inline double _pace(self, Py_ssize_t server) noexcept
    @cython.locals(span=double, present=cython.longlong, slots=cython.longlong, at=Py_ssize_t, gauge=Py_ssize_t)
    cdef inline void tick(self, Py_ssize_t server, double now) noexcept
    @cython.locals(server=Py_ssize_t, place=cython.longlong)
    cpdef int cancel(self, Py_ssize_t job, double now) except -1
    @cython.locals(job=Py_ssize_t, before=double, done=double, gauge=Py_ssize_t, rare=Py_ssize_t)
    cpdef set_speed(self, Py_ssize_t server, double speed, double now)
    @cython.locals(job=Py_ssize_t, link=Py_ssize_t, at=Py_ssize_t, rare=Py_ssize_t)
    cpdef list crash(self, Py_ssize_t server, double now)
    cpdef restart(self, Py_ssize_t server, double now)
    cdef inline bint _before(self, Py_ssize_t one, Py_ssize_t two) noexcept
    @cython.locals(root=Py_ssize_t, tail=Py_ssize_t, rest=Py_ssize_t)
    cdef Py_ssize_t _meld(self, Py_ssize_t one, Py_ssize_t two) noexcept
    @cython.locals(job=Py_ssize_t)
    cdef object _offer(self, Py_ssize_t low)
    cdef object _grow(self)
    cpdef Py_ssize_t where(self, Py_ssize_t job) noexcept
    cpdef Py_ssize_t present(self, Py_ssize_t server) noexcept

cdef double _inverse(double speed) noexcept
