"""A marker for tests of the load generators, which are C programs."""

import sys

import pytest

from bench.loadgen import compiler

needs_compiler = pytest.mark.skipif(
    sys.platform != "linux" or compiler() is None,
    reason="the load generators need Linux and a C compiler",
)
