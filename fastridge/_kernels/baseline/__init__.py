"""Kernels for any processor of this architecture (x86-64-v2 on x86)."""
