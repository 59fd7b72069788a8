"""Benchmarks of fastridge: an asv suite and the comparison `python -m benchmarks`.

asv runs `suite.py`. Every other module belongs to the comparison. None of them has a name that asv
takes for a benchmark, and none imports at module level what asv's environment lacks.
"""
