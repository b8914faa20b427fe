"""How much longer "at once" may take while other tests use the same processors."""

import os

# What is bounded by it would otherwise wait for many seconds, or for ever. Alone, bounds are what they say.
COMPANY = 3 if "PYTEST_XDIST_WORKER" in os.environ else 1
