/* A short way into a method `pick(key=None, *, exclude=())` of a compiled class, or one of another name that takes one
   argument or none by position.

   Nearly every pick has a key and no more, or nothing. What a call of a method costs beyond that is the unpacking of
   arguments that are not there, and the counting of references to what they are by default: a third of the cheapest
   picks. So the class's method is given another C function, which hands those calls on, as borrowed as they came, and
   all others to the function that was there. Where methods are not called that way (another interpreter, an older
   protocol), nothing is done, and nothing else is different.

   A module has one such method, and `lbalgo_serve` is its own function that serves it: known by name, it may become a
   part of the entry, and a pick is then one jump from the interpreter. */

#ifndef LBALGO_SHORT_ENTRY_H
#define LBALGO_SHORT_ENTRY_H

typedef PyObject *(*lbalgo_method)(PyObject *self, PyObject *const *args, Py_ssize_t n, PyObject *names);

static PyObject *lbalgo_serve(PyObject *self, PyObject *key);
static lbalgo_method lbalgo_usual;

static PyObject *lbalgo_entry(PyObject *self, PyObject *const *args, Py_ssize_t n, PyObject *names) {
    if (names == NULL && n <= 1)
        return lbalgo_serve(self, n ? args[0] : Py_None);
    return lbalgo_usual(self, args, n, names);
}

/* As the class has this method, it goes by `lbalgo_serve` where it can. */
static void lbalgo_shorten(PyObject *type, const char *name) {
#if !defined(PYPY_VERSION) && !defined(Py_LIMITED_API)
    PyObject *found = PyObject_GetAttrString(type, name);
    if (found != NULL && Py_IS_TYPE(found, &PyMethodDescr_Type)) {
        PyMethodDef *method = ((PyMethodDescrObject *)found)->d_method;
        if (method->ml_flags == (METH_FASTCALL | METH_KEYWORDS)) {
            lbalgo_usual = (lbalgo_method)(void (*)(void))method->ml_meth;
            method->ml_meth = (PyCFunction)(void (*)(void))lbalgo_entry;
        }
    }
    Py_XDECREF(found);
    PyErr_Clear();
#else
    (void)type, (void)name, (void)lbalgo_entry;
#endif
}

#define short_entry(type, name) lbalgo_shorten((PyObject *)(type), name)

/* An item of a tuple that is there, without the question whether it is one. */
static inline PyObject *lbalgo_item(void *tuple, Py_ssize_t at) {
    PyObject *item = PyTuple_GET_ITEM((PyObject *)tuple, at);
    Py_INCREF(item);
    return item;
}

#endif
