"""Makes the folder's modules importable, for its tests and for `run.py` alike."""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent))
