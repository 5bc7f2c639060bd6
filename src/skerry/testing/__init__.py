"""The kit for other people's tests: suites to inherit, for what is written beside Skerry.

It needs pytest, which nothing else in Skerry does: ``pip install 'skerry[testing]'``. Nothing is
loaded that a test has not asked for.
"""

from __future__ import annotations

from pkgutil import iter_modules

try:
    import pytest
    import pytest_asyncio  # noqa: F401
except ImportError as missing:
    raise ImportError(
        f"skerry.testing is for tests with pytest, and {missing.name} is not installed: "
        "pip install 'skerry[testing]'",
        name=missing.name,
    ) from None

# Failing asserts say what they have compared, as in the tests of whoever inherits them.
pytest.register_assert_rewrite(*(m.name for m in iter_modules(__path__, f"{__name__}.")))
