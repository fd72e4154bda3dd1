"""Stage 1, receive: bytes -> `AuditRecord`; files, the audit webhook, cloud wrappers.

`CARDS` is the explicit list of live sources; `audit_file.read_paths` reads recorded logs. To add a source, write
``sources/<name>.py`` with a class that is a `base.Source`, its card in ``sources/cards.py``, and list the card here.
"""

from __future__ import annotations

from riverwatch.sources import base, cards

CARDS: tuple[base.SourceCard, ...] = (cards.AUDIT_WEBHOOK, cards.AUDIT_TAIL, cards.ADMISSION_WEBHOOK)
"""Cards of all live sources, in the order documents list them; the module is named as the id, with underscores."""
