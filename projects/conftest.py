"""The fixtures and the table of skipped tests of Hotpath's own tests, in whose clone these run."""

from tests.conftest import *  # noqa: F403
