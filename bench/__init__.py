"""The benchmark: a real server and a real load in separate processes, with a table of results.

Run it as ``python -m bench``; ``docs/performance.md`` describes what is measured and how.
"""
