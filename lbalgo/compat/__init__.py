"""The decisions of real systems, bit for bit, from the same parameters by the same names.

One room a system: `envoy`, `haproxy`, `nginx`, `memcached` (twemproxy and libmemcached), `redis`, `katran`, `ipvs`,
`varnish`, `apache`, `grpc`. In each the policies are called what the system calls them, and a dialect is data: how
points or turns are made, with which hash, what a weight means, which point a key belongs to, who wins a tie. Where a
decision is a function of the key, these are handed to the kernels of the native policies (`lbalgo.compat.structures`).
Where it depends on what went before, a *machine* holds the turns and counters of the real program, and one picker
(`lbalgo.compat.machine`) drives all machines.

Every fact is either replayed against decisions captured from the real program, or marked as described only.
"""
