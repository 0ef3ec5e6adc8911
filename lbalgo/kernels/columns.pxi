# `words` and `column` of lbalgo.columns, without NumPy's calls of microseconds where what is given is right already.


cdef inline bint plain_array(object values, int kind):
    return (cnp.PyArray_Check(values) and cnp.PyArray_NDIM(values) == 1 and cnp.PyArray_TYPE(values) == kind
            and cnp.PyArray_ISCARRAY_RO(values) and cnp.PyArray_DIM(values, 0) > 0)


cdef inline cnp.ndarray words_of(str name, object values):
    """As `words`."""
    if plain_array(values, cnp.NPY_UINT64):
        return cnp.PyArray_NewCopy(values, cnp.NPY_CORDER)
    return words(name, values)


cdef inline cnp.ndarray column_of(str name, object values, int32_t low, int32_t high):
    """As `column` of int32."""
    cdef cnp.ndarray out
    cdef const int32_t *at
    cdef Py_ssize_t i
    cdef bint good = True
    if plain_array(values, cnp.NPY_INT32):
        out = cnp.PyArray_NewCopy(values, cnp.NPY_CORDER)
        at = <const int32_t *>cnp.PyArray_DATA(out)
        for i in range(cnp.PyArray_DIM(out, 0)):
            good &= (at[i] >= low) & (at[i] <= high)
        if good:
            return out
    return column(name, values, low, high, np.int32)
