"""Stage 7, tell: detections -> what people read (table, page) and what other tools read (OCSF, falcosidekick, CloudEvents)."""
