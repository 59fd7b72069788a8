"""Fused wrappers of BLAS and LAPACK: one equation each, no precision letter."""

from cython cimport floating
from scipy.linalg.cython_lapack cimport (
    dgejsv,
    dlacn2,
    dpocon,
    dpotrf,
    dpotrs,
    dtrtri,
    slacn2,
    spocon,
    spotrf,
    spotrs,
    strtri,
)


cdef inline int potrf(char uplo, int n, floating *a, int lda) noexcept nogil:
    # A = L L' or U'U
    cdef int info = 0
    if floating is double:
        dpotrf(&uplo, &n, a, &lda, &info)
    else:
        spotrf(&uplo, &n, a, &lda, &info)
    return info


cdef inline int potrs(char uplo, int n, int nrhs, floating *a, int lda, floating *b,
                      int ldb) noexcept nogil:
    # B <- A^-1 B from potrf's factor
    cdef int info = 0
    if floating is double:
        dpotrs(&uplo, &n, &nrhs, a, &lda, b, &ldb, &info)
    else:
        spotrs(&uplo, &n, &nrhs, a, &lda, b, &ldb, &info)
    return info


cdef inline floating pocon(char uplo, int n, floating *a, int lda, floating anorm,
                           floating *work, int *iwork) noexcept nogil:
    # 1 / (|A|_1 |A^-1|_1), estimated from potrf's factor
    cdef int info = 0
    cdef floating rcond = 0.0
    if floating is double:
        dpocon(&uplo, &n, a, &lda, &anorm, &rcond, work, iwork, &info)
    else:
        spocon(&uplo, &n, a, &lda, &anorm, &rcond, work, iwork, &info)
    return rcond


cdef inline int trtri(char uplo, char diag, int n, floating *a, int lda) noexcept nogil:
    # A <- A^-1, A triangular
    cdef int info = 0
    if floating is double:
        dtrtri(&uplo, &diag, &n, a, &lda, &info)
    else:
        strtri(&uplo, &diag, &n, a, &lda, &info)
    return info


cdef inline void lacn2(int n, floating *v, floating *x, int *isgn, floating *est, int *kase,
                       int *isave) noexcept nogil:
    # est <- |A|_1, estimated from A x and A' x, which the caller computes when kase requests them
    if floating is double:
        dlacn2(&n, v, x, isgn, est, kase, isave)
    else:
        slacn2(&n, v, x, isgn, est, kase, isave)


cdef inline int gejsv(int n, double *a, double *sva, double *v, double *work, int lwork,
                      int *iwork) noexcept nogil:
    # A = U diag(sva work[0] / work[1]) V', V alone; every column counts by its own length
    cdef:
        char joba = c"C", none = c"N", jobv = c"V"
        int info = 0
    dgejsv(&joba, &none, &jobv, &none, &none, &none, &n, &n, a, &n, sva, a, &n, v, &n, work,
           &lwork, iwork, &info)
    return info
