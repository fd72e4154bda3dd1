"""The proving ground: a real control plane, life on it, attacks on it, and figures about what was seen.

Beside the stream, never in it: nothing in stages 1 to 7 imports from here, and no detector may know a name that
occurs only here. Commands: `riverwatch lab ...` (cli).
"""
