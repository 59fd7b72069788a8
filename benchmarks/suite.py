"""The asv suite: each case with the rival and the thread count as parameters.

`asv run` times these over commits. Quote ``python -m benchmarks`` instead, which compares rivals in
turns within one process.
"""

from __future__ import annotations

from functools import partial
from typing import Any, ClassVar

from threadpoolctl import ThreadpoolController

from .accuracy import GramReference, Reference
from .cases import CASES, FASTRIDGE, Problem, make_problem
from .compare import Row, errors_of
from .cv_rivals import CV_ADAPTERS
from .enet_accuracy import ChoiceErrors, certified_gap
from .enet_cases import ENET_CASES, make_enet_problem
from .enet_rivals import CHOICE_ADAPTERS, path_adapters
from .enet_search import loosest
from .machine import thread_settings
from .rivals import ADAPTERS

_RIVALS = ["fastridge", "scikit-learn", "NumPy"]
_CHOOSERS = ["fastridge", "scikit-learn", "himalaya", "RidgeEM (Boley)"]
_THREADS = ["one", "all"]
_ADAPTERS = {adapter.name: adapter for adapter in ADAPTERS}
_CV_ADAPTERS = {adapter.name: adapter for adapter in CV_ADAPTERS}
_PATHS = ["fastridge", "scikit-learn", "celer", "skglm", "adelie", "glmnet"]
_ENET_CHOOSERS = ["fastridge", "scikit-learn"]
_PATH_ADAPTERS = {adapter.name: adapter for adapter in path_adapters()}
_CHOICE_ADAPTERS = {adapter.name: adapter for adapter in CHOICE_ADAPTERS}
_CASES = {case.name: case for case in CASES}
_ENET_CASES = {case.name: case for case in ENET_CASES}


def _names(*tasks: str) -> list[str]:
    return [case.name for case in (*CASES, *ENET_CASES) if case.task in tasks]


class _CaseSuite:
    """A case whose data, adapter and call are made in `setup`, with BLAS threads limited."""

    task: ClassVar[str]
    adapters: ClassVar[dict[str, Any]] = _ADAPTERS
    param_names: ClassVar[list[str]] = ["rival", "case", "threads"]
    timeout = 300

    def setup(self, rival: str, case: str, threads: str) -> None:
        """Make the call; NotImplementedError makes asv skip what a rival does not support."""
        self.rival = self.adapters[rival]()
        try:
            self.rival.load()
        except ImportError as error:
            raise NotImplementedError(str(error)) from error
        count = thread_settings()[0 if threads == "one" else -1]
        self.problem: Problem = self.make_problem(case)
        self._limiter = ThreadpoolController().limit(limits=count, user_api="blas")
        made: Any = self.offer(count)
        if made is None:
            raise NotImplementedError(f"{rival} does not support {self.task}")
        self.call = made[0] if isinstance(made, tuple) else made

    def make_problem(self, case: str) -> Problem:
        """Return the data of the case."""
        return make_problem(_CASES[case])

    def offer(self, count: int) -> Any:
        """Return the call of the rival for the task."""
        return getattr(self.rival, self.task)(self.problem, count)

    def teardown(self, rival: str, case: str, threads: str) -> None:
        """Restore the threads of BLAS."""
        limiter = getattr(self, "_limiter", None)
        if limiter is not None:
            limiter.restore_original_limits()


class RidgeFit(_CaseSuite):
    """`Ridge.fit`: time, peak memory of the process, error of the coefficients."""

    task = "fit"
    params: ClassVar[list[list[str]]] = [_RIVALS, _names("fit"), _THREADS]

    def time_fit(self, rival: str, case: str, threads: str) -> None:
        """Seconds of one fit."""
        self.call()

    def peakmem_fit(self, rival: str, case: str, threads: str) -> None:
        """Peak resident memory, including the data."""
        self.call()


class RidgeAccuracy(_CaseSuite):
    """Relative error of `Ridge.fit`'s coefficients against a reference."""

    task = "fit"
    params: ClassVar[list[list[str]]] = [_RIVALS, _names("fit", "accuracy"), ["all"]]

    def track_coef_error(self, rival: str, case: str, threads: str) -> float:
        """Return the largest ``||w - reference|| / ||reference||`` over targets."""
        coef = self.rival.coef(self.call())
        return Reference(self.problem).coef_error(coef, self.problem.alpha)


class RidgePredict(_CaseSuite):
    """`Ridge.predict` of one row."""

    task = "predict"
    params: ClassVar[list[list[str]]] = [_RIVALS, _names("predict"), _THREADS]

    def time_predict(self, rival: str, case: str, threads: str) -> None:
        """Seconds of one prediction."""
        self.call()


class RidgePath(_CaseSuite):
    """`ridge_path`; for scikit-learn, which refits, four of the hundred fits of the path."""

    task = "path"
    params: ClassVar[list[list[str]]] = [_RIVALS, _names("path"), _THREADS]

    def time_path(self, rival: str, case: str, threads: str) -> None:
        """Seconds of one path."""
        self.call()


class GramStatistics(_CaseSuite):
    """`GramStatistics.from_data`: time and error."""

    task = "gram"
    params: ClassVar[list[list[str]]] = [["fastridge", "NumPy"], _names("gram"), _THREADS]

    def time_from_data(self, rival: str, case: str, threads: str) -> None:
        """Seconds of one pass."""
        self.call()

    def track_gram_error(self, rival: str, case: str, threads: str) -> float:
        """Largest error of an entry of the centred X'X."""
        xx = self.rival.gram_matrix(self.call())
        return GramReference(self.problem.X).error(xx)


class RidgeCV(_CaseSuite):
    """`RidgeCV.fit`: time, peak memory of the process, error of the scores."""

    task = "cv"
    adapters: ClassVar[dict[str, Any]] = _CV_ADAPTERS
    params: ClassVar[list[list[str]]] = [_CHOOSERS, _names("cv"), _THREADS]

    def time_fit(self, rival: str, case: str, threads: str) -> None:
        """Seconds of one choice with its fit."""
        self.call()

    def peakmem_fit(self, rival: str, case: str, threads: str) -> None:
        """Peak resident memory, including the data."""
        self.call()


class RidgeCVAccuracy(_CaseSuite):
    """Errors of `RidgeCV`'s choice against a reference."""

    task = "cv"
    adapters: ClassVar[dict[str, Any]] = _CV_ADAPTERS
    params: ClassVar[list[list[str]]] = [_CHOOSERS, _names("cv"), ["all"]]

    def _row(self) -> Row:
        row = Row(FASTRIDGE)
        errors_of(self.problem).fill(row, self.rival, self.call())
        return row

    def track_score_error(self, rival: str, case: str, threads: str) -> float:
        """Largest relative error of a mean score; of EM, error of the coefficients."""
        return self._row().coef_error

    def track_right_alpha(self, rival: str, case: str, threads: str) -> float:
        """Return the fraction of the targets with the reference's alpha."""
        return self._row().same_alpha


class EnetPath(_CaseSuite):
    """A lasso path at the loosest tolerance that attains the gap, found in `setup`.

    The seconds of glmnet include the wake-up of its process, some tenths of a millisecond.
    """

    task = "enet"
    timeout = 900
    adapters: ClassVar[dict[str, Any]] = _PATH_ADAPTERS
    params: ClassVar[list[list[str]]] = [_PATHS, _names("enet"), _THREADS]

    def make_problem(self, case: str) -> Problem:
        """Return the data of the case."""
        return make_enet_problem(_ENET_CASES[case])

    def offer(self, count: int) -> Any:
        """Return the path by the fastest way with one thread; None if none attains the gap."""
        if _ENET_CASES[self.problem.case.name].ours_only and self.rival.name != FASTRIDGE:
            return None
        found, _ = loosest(self.rival, self.problem)
        if not found:
            return None
        way = min(found, key=lambda one: found[one].seconds)
        return partial(self.rival.solver(self.problem, way, count), found[way].tolerance)

    def teardown(self, rival: str, case: str, threads: str) -> None:
        """Restore the threads of BLAS, and end the process of a rival."""
        super().teardown(rival, case, threads)
        self.rival.close()

    def time_path(self, rival: str, case: str, threads: str) -> None:
        """Seconds of one path."""
        self.call()

    def track_gap(self, rival: str, case: str, threads: str) -> float:
        """Largest relative duality gap of the path."""
        return certified_gap(self.problem, self.rival.coefs(self.call()))


class _EnetChoiceSuite(_CaseSuite):
    task = "enet_cv"
    adapters: ClassVar[dict[str, Any]] = _CHOICE_ADAPTERS

    def make_problem(self, case: str) -> Problem:
        """Return the data of the case."""
        return make_enet_problem(_ENET_CASES[case])


class EnetCV(_EnetChoiceSuite):
    """`LassoCV.fit` and `ElasticNetCV.fit`: time, and peak memory of the process."""

    params: ClassVar[list[list[str]]] = [_ENET_CHOOSERS, _names("enet_cv"), _THREADS]

    def time_fit(self, rival: str, case: str, threads: str) -> None:
        """Seconds of one choice with its fit."""
        self.call()

    def peakmem_fit(self, rival: str, case: str, threads: str) -> None:
        """Peak resident memory, including the data."""
        self.call()


class EnetCVAccuracy(_EnetChoiceSuite):
    """Errors of the choice against scikit-learn's at a tight tolerance."""

    params: ClassVar[list[list[str]]] = [_ENET_CHOOSERS, _names("enet_cv"), ["all"]]

    def _row(self) -> Row:
        row = Row(FASTRIDGE)
        ChoiceErrors(self.problem).fill(row, self.rival, self.call())
        return row

    def track_error_difference(self, rival: str, case: str, threads: str) -> float:
        """Largest relative difference of a fold's mean squared error."""
        return self._row().coef_error

    def track_same_choice(self, rival: str, case: str, threads: str) -> float:
        """Return whether the choice is the reference's."""
        return self._row().same_alpha
