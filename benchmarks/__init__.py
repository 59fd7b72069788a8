"""Benchmarks of fastridge: an asv suite and the comparison `python -m benchmarks`.

`suite.py` is what asv runs. Every other module belongs to the comparison; none of them has a
name that asv takes for a benchmark, and none imports at module level what asv's environment
lacks.
"""
