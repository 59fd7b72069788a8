"""Threads, interrupts, memory, buffers: what all else runs on."""
