"""Figures from arrays: every function takes arrays and returns a matplotlib `Figure`.

The only package that imports matplotlib, and never its `pyplot`: no window, no global state.
"""
