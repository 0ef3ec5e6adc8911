cimport cython
from lbalgo.kernels.load_picker cimport LoadPicker
from lbalgo.kernels.loads cimport InFlightCounts, LoadState
from lbalgo.kernels.pickers cimport TicketPicker
from lbalgo.kernels.streams cimport Stream

include "event_queue.pxi"
include "stations.pxi"

cdef enum:
    ANSWERS = 2
    EXPIRES = 3
    PLAN = 4
    REACHES = 5
    RETURNS = 6
cdef enum:
    KIND = 7
cdef enum:
    BY_LOAD = 0
    BY_TICKET = 1
    BY_PICK = 2
    BY_CALL = 3
cdef enum:
    SUCCESS = 0
    CODES = 7
    UNSEEN = -1
    BLOCK = 4096

cdef double NEVER

@cython.final
cdef class VirtualClock:
    cdef public double now

@cython.final
cdef class Engine:
    cdef readonly EventQueue queue
    cdef readonly Stations stations
    cdef readonly VirtualClock clock
    cdef object feed, take, names, acquire, done
    cdef public object course, net
    cdef readonly double stop, warm, now
    cdef Stream coins
    cdef readonly long long events, arrived, ended, refused, moved, repeated
    cdef readonly long long[::1] counts, received, answered
    cdef list plans, unplanned
    cdef readonly dict refusals
    cdef public list rows
    cdef readonly int mode
    cdef bint timed, keyed
    cdef readonly bint plain
    cdef LoadPicker sole
    cdef InFlightCounts tally
    cdef public bint touched, silent
    cdef list pickers, loads
    cdef dict index
    cdef public list tokens, courses
    cdef public double[::1] failing, faulty, fails_after, cold, cooling
    cdef public long long[::1] fail_code, fault_code
    cdef long long[::1] owners
    cdef Py_ssize_t room, fill, at, size
    cdef double[::1] sink
    cdef double next
    cdef double[::1] times, works, costs
    cdef long long[::1] clients, keys
    @cython.locals(queue=EventQueue, stations=Stations, clock=VirtualClock, left=cython.longlong, limit=double,
                   what=cython.longlong, stamp=cython.longlong, kind=int, who=Py_ssize_t)
    cpdef bint go(self, long long events) except -1
    cdef object _look(self)
    @cython.locals(stations=Stations, job=Py_ssize_t, server=Py_ssize_t, link=Py_ssize_t, code=int)
    cdef inline int _enter(self) except -1
    @cython.locals(stations=Stations, server=Py_ssize_t, code=int)
    cdef inline int _exit(self, Py_ssize_t job) except -1
    @cython.locals(i=Py_ssize_t, client=Py_ssize_t, work=double, number=cython.longlong, cost=double, job=Py_ssize_t)
    cdef inline int _arrive(self) except -1
    @cython.locals(job=Py_ssize_t, server=Py_ssize_t, by_load=LoadPicker, by_ticket=TicketPicker, load=LoadState,
                   told=LoadState)
    cpdef inline Py_ssize_t admit(self, Py_ssize_t client, long long number, object key, double cost) except -2
    cpdef Py_ssize_t put(self, Py_ssize_t client, long long number, Py_ssize_t server, object token) except -2
    @cython.locals(job=Py_ssize_t, stations=Stations)
    cdef inline Py_ssize_t _job(self, Py_ssize_t client, long long number) except -2
    @cython.locals(owner=cython.longlong)
    cdef inline void _place(self, Py_ssize_t job, Py_ssize_t server, long long number) noexcept
    @cython.locals(link=Py_ssize_t, takes=double)
    cpdef inline int send(self, Py_ssize_t job, double work) except -1
    @cython.locals(server=Py_ssize_t, code=int)
    cdef inline int _reach(self, Py_ssize_t job, double work) except -1
    cdef int _answer(self, Py_ssize_t job, long long code, double after) except -1
    cpdef expire(self, Py_ssize_t job, double when)
    @cython.locals(link=Py_ssize_t, server=Py_ssize_t, takes=double)
    cdef inline int _over(self, Py_ssize_t job, long long code) except -1
    @cython.locals(server=Py_ssize_t, at=Py_ssize_t, began=double, number=cython.longlong)
    cdef inline int _home(self, Py_ssize_t job, long long code) except -1
    @cython.locals(server=Py_ssize_t, began=double, by_load=LoadPicker, told=LoadState)
    cpdef inline int tell(self, Py_ssize_t job, long long code) except -1
    cpdef inline int record(self, Py_ssize_t client, long long number, Py_ssize_t server, double began, long long code) except -1
    cpdef refuse(self, str reason, Py_ssize_t client, long long number, double began)
    @cython.locals(job=Py_ssize_t)
    cpdef crash(self, Py_ssize_t server, long long code)
    cdef object _flush(self)
    cdef object _refill(self)
    cdef object _grow(self)
