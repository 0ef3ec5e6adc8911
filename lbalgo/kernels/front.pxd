cimport cython
from cpython.time cimport monotonic
from lbalgo.kernels.evidence cimport Evidence
from lbalgo.kernels.lease cimport Desk, Lease
from lbalgo.kernels.ledger cimport Ledger
from lbalgo.kernels.load_picker cimport LoadPicker
from lbalgo.kernels.loads cimport LoadState
from lbalgo.kernels.pickers cimport TicketPicker

cdef object NOTHING, UNIT
cdef tuple OUTCOMES
cdef double UNKNOWN
cdef int CANCELLED

cdef class Front(Desk):
    cdef readonly object picker, view
    cdef object gates, news, clock, lock
    cdef TicketPicker by_ticket
    cdef LoadPicker by_load
    cdef LoadState load
    cdef list witnesses
    cdef Evidence witness
    cdef Ledger ledger
    cdef dict index
    cdef bint native, gated, blind, serial, timed, ticking, moving, panic
    cdef double latest, due
    cdef cython.longlong[::1] slots, lanes
    cdef object _advance(self, double now)
    cdef object _testify(self, list tripped, Py_ssize_t row, int code, double latency, double pause)
    cdef object _deliver(self)
    @cython.locals(now=double)
    @cython.final
    cdef inline Lease _lend(self, object key, object exclude, double cost, object session, object request, object context)
    @cython.final
    cdef Lease _lend_alone(self, object key, object exclude, double cost, object session, object request, object context,
                           double now)
    @cython.locals(row=Py_ssize_t, load=LoadState, lease=Lease, picked=bint)
    @cython.final
    cdef inline Lease _open(self, object key, object context, object exclude, double cost, double now, object visit)
    @cython.locals(slot=Py_ssize_t, by_ticket=TicketPicker, by_load=LoadPicker)
    @cython.final
    cdef inline bint _picked(self, Lease lease, object key) except -1
    @cython.final
    cdef object _pick_any(self, Lease lease, object key, object context, object exclude, object visit, double now)
    @cython.final
    cdef object _refused(self)
    @cython.final
    cdef Lease _enter(self, object key, object context, object exclude, double cost, double now, object visit)
    @cython.final
    cdef object _admit(self, double now, object session, object request, object budget)
    @cython.final
    cdef object _asked(self, object session, object request, object context)
    @cython.final
    cdef object _start(self, object visit, object id, LoadState load, Py_ssize_t row, double cost, double now)
    @cython.final
    cdef object _finish(self, object visit, LoadState load, Py_ssize_t row, double cost, double began, int code,
                        double latency, double now)
    @cython.locals(now=double, alone=bint)
    cdef object end_(self, Lease lease, int code, double latency, double pause)
    @cython.final
    cdef object _choose(self, object picker, object key, object context, object exclude, object visit, double now)
    @cython.locals(row=Py_ssize_t, load=LoadState)
    @cython.final
    cdef inline int _close(self, Lease lease, int code, double latency, double pause, double now) except -1
    @cython.final
    cdef inline int _settle(self, Py_ssize_t row, LoadState load, object visit, double cost, double began, int code,
                            double latency, double pause, double now) except -1
    @cython.locals(slot=Py_ssize_t)
    @cython.final
    cdef inline int _note(self, Py_ssize_t row, int code) except -1
    @cython.locals(witness=tuple, evidence=Evidence)
    @cython.final
    cdef object _note_all(self, Py_ssize_t slot, Py_ssize_t row, int code)
    @cython.locals(now=double)
    cdef object _sweep(self)
    @cython.final
    cdef double _now(self) except? -1
    @cython.final
    cdef inline double _read(self) except? -1

cdef extern from "short_entry.h":
    void short_entry(object kind, const char *name) noexcept

cdef object serve "lbalgo_serve" (object front, object key)
