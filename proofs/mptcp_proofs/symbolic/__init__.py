"""Symbolic execution of the unchanged sources: every path of ordinary Python, decided by z3."""
