"""The firmware's core, compiled once for all tests of it."""

from __future__ import annotations

import os

import pytest

from firmware.host_core import Library, build, find_compiler


@pytest.fixture(scope="session")
def core_library(tmp_path_factory: pytest.TempPathFactory) -> Library:
    """The core as a shared library."""
    compiler = find_compiler()
    if compiler is None:
        if os.environ.get("CI") == "true":
            pytest.fail("CI needs a C compiler for the firmware's core: apt-get install gcc")
        pytest.skip("no C compiler found; install gcc or clang to include the firmware's tests")
    return build(tmp_path_factory.mktemp("firmware"), compiler)
