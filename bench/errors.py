"""What stops a benchmark."""


class BenchError(Exception):
    """Nothing could be measured; the message says why and, where it helps, what to do."""
