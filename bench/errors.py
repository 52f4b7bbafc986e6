"""The error that stops a benchmark."""


class BenchError(Exception):
    """A measurement failed; the message says why and, if possible, what to do."""
