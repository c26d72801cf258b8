"""The HTTP side: what the documents promise, each version in a package of its own."""

import sys

# Connexion imports its second framework where there is one, and does without where there is none.
# Nothing here uses it, and it takes as long to import as all of Flask; who wants Connexion's
# AioHttpApp in the same process imports Connexion before.
if "aiohttp" not in sys.modules:
    sys.modules["aiohttp"] = None  # type: ignore[assignment]
    try:
        import connexion  # noqa: F401
    finally:
        del sys.modules["aiohttp"]
