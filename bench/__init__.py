"""The benchmark: a real server and a real load in separate processes, one table at the end.

Run as ``python -m bench``; what is measured and how is told in ``docs/performance.md``.
"""
