"""Threads, interrupts, memory, buffers and checks of sparse arrays."""
