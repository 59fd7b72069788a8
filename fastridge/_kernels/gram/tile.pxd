"""Declare the C kernels on tiles, which are in pack.h and rank_k.h."""

cdef extern from "pack.h" nogil:
    const Py_ssize_t FR_PANEL
    ctypedef struct fr_terms:
        const double *shift
        const double *row_shift
        const double *scale
        double *sums
        Py_ssize_t n_extra
        const double *extra[3]
        double *cross[3]
    Py_ssize_t fr_padded(Py_ssize_t columns)
    void fr_rank_k_update(const double *tile, Py_ssize_t depth, Py_ssize_t tile_depth,
                          Py_ssize_t columns, Py_ssize_t n_left, Py_ssize_t begin,
                          Py_ssize_t end, double *c, Py_ssize_t ldc, const char *next_rows,
                          Py_ssize_t next_bytes)
    void fr_pack_double(const double *x, Py_ssize_t row_stride, Py_ssize_t col_stride,
                        Py_ssize_t depth, Py_ssize_t begin, Py_ssize_t end, Py_ssize_t offset,
                        const fr_terms *terms, double *tile, Py_ssize_t tile_depth,
                        Py_ssize_t columns)
    void fr_pack_float(const float *x, Py_ssize_t row_stride, Py_ssize_t col_stride,
                       Py_ssize_t depth, Py_ssize_t begin, Py_ssize_t end, Py_ssize_t offset,
                       const fr_terms *terms, double *tile, Py_ssize_t tile_depth,
                       Py_ssize_t columns)
    void fr_pack_column_double(const double *x, Py_ssize_t row_stride, Py_ssize_t run,
                               double minus, const fr_terms *terms, double *out,
                               Py_ssize_t width)
    void fr_pack_column_float(const float *x, Py_ssize_t row_stride, Py_ssize_t run,
                              double minus, const fr_terms *terms, double *out,
                              Py_ssize_t width)
    void fr_add_column_squares(const double *tile, Py_ssize_t depth, Py_ssize_t begin,
                               Py_ssize_t end, Py_ssize_t tile_depth, Py_ssize_t columns,
                               double *squares)
    double fr_dot(const double *a, const double *b, Py_ssize_t n)

cdef extern from "single.h" nogil:
    const bint FR_HAS_SINGLE
    void fr_single_pack_double(const double *x, Py_ssize_t row_stride, Py_ssize_t depth,
                               Py_ssize_t columns, const fr_terms *terms, const double *unit,
                               float *tile, Py_ssize_t tile_depth)
    void fr_single_pack_float(const float *x, Py_ssize_t row_stride, Py_ssize_t depth,
                              Py_ssize_t columns, const fr_terms *terms, const double *unit,
                              float *tile, Py_ssize_t tile_depth)
    void fr_single_rank_k(const float *tile, Py_ssize_t depth, Py_ssize_t tile_depth,
                          Py_ssize_t columns, double *c, Py_ssize_t ldc,
                          const char *next_rows, Py_ssize_t next_bytes)
