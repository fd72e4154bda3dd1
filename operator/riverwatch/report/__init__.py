"""Stage 7, tell: detections -> what people read (table, page) and tools read (OCSF, falcosidekick, CloudEvents)."""
