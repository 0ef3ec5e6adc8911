cimport cython
from cpython.time cimport monotonic
from libc.stdint cimport int64_t
from lbalgo.kernels.evidence cimport Evidence
from lbalgo.kernels.load_picker cimport LoadPicker
from lbalgo.kernels.loads cimport ForeignLoad, InFlightCounts, LoadState
from lbalgo.kernels.pickers cimport TicketPicker

cdef object NOTHING, UNIT
cdef double UNKNOWN, NEVER
cdef tuple OUTCOMES
cdef int CODES, CANCELLED, TIMEOUT, LOCAL_ERROR

cdef class Balancer

@cython.final
cdef class Lease:
    cdef readonly object backend
    cdef Balancer balancer
    cdef LoadState load
    cdef Py_ssize_t row
    cdef int said
    cdef double began

@cython.final
cdef class Balancer:
    cdef object __weakref__
    cdef readonly object policy, picker, view
    cdef object pool, news, clock, lock, courier, on_event
    cdef TicketPicker by_ticket
    cdef LoadPicker by_load
    cdef LoadState load
    cdef list witnesses, abandoned, late
    cdef dict index, refused
    cdef bint native, seeded, blind, serial, timed, ticking, moving, working, panic
    cdef double latest, due
    cdef int64_t opened, fallbacks, panic_picks
    cdef cython.longlong[::1] flying, slots, lanes, closed
    @cython.locals(slot=Py_ssize_t, row=Py_ssize_t, by_ticket=TicketPicker, by_load=LoadPicker,
                   load=LoadState, lease=Lease)
    cdef Lease _open(self, object key, object exclude, double cost, double now)
    cdef object _choose(self, object picker, object key, object exclude)
    @cython.locals(now=double)
    cdef object _end(self, Lease lease, int code, double latency, double pause)
    @cython.locals(row=Py_ssize_t, load=LoadState)
    cdef object _close(self, Lease lease, int code, double latency, double pause, double now)
    cdef object _settle(self, Py_ssize_t row, LoadState load, int code, double latency, double pause, double now)
    @cython.locals(slot=Py_ssize_t, witness=tuple, evidence=Evidence)
    cdef object _note(self, Py_ssize_t row, int code)
    @cython.locals(slot=Py_ssize_t)
    cdef object _testify(self, list tripped, Py_ssize_t row, int code, double latency, double pause)
    cdef object _begin(self)
    @cython.locals(slot=Py_ssize_t, row=Py_ssize_t, direct=bint,
                   flying=cython.longlong[::1], slots=cython.longlong[::1], lanes=cython.longlong[::1])
    cdef object _follow(self)
    cdef double _now(self) except? -1
    cdef double _read(self) except? -1

@cython.locals(code=int)
cdef int _code(object outcome) except -1
