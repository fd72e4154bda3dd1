"""riverwatch: learns how every identity in a cluster behaves and says so when one stops behaving like itself.

The stages, in the order data flows: ``sources`` -> ``activity`` -> ``features`` -> ``rules`` and ``models`` ->
``scoring``
-> ``detections`` -> ``outputs``. ``runtime/pipeline.py`` is the page to read first.
"""

__version__ = "0.1.0"
"""Version of the package; the same as in pyproject.toml (a test compares them)."""
