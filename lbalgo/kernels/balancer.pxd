cimport cython
from lbalgo.kernels.evidence cimport Evidence
from lbalgo.kernels.front cimport Front
from lbalgo.kernels.ledger cimport Ledger, zeros
from lbalgo.kernels.load_picker cimport LoadPicker
from lbalgo.kernels.loads cimport ForeignLoad, InFlightCounts, LoadState
from lbalgo.kernels.pickers cimport TicketPicker

cdef double NEVER

cdef class Balancer(Front):
    cdef object __weakref__
    cdef readonly object policy
    cdef object pool, courier, on_event
    cdef list late
    cdef bint seeded, working
    cdef object _advance(self, double now)
    @cython.locals(slot=Py_ssize_t)
    cdef object _testify(self, list tripped, Py_ssize_t row, int code, double latency, double pause)
    cdef object _deliver(self)
    @cython.final
    cdef object _begin(self)
    @cython.locals(slot=Py_ssize_t, row=Py_ssize_t, direct=bint,
                   slots=cython.longlong[::1], lanes=cython.longlong[::1])
    @cython.final
    cdef object _follow(self)
