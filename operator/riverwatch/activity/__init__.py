"""Stage 2, normalise: `AuditRecord` -> `Activity`, who did what to which object, when, with what result."""
