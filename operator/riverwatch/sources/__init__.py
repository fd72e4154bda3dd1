"""Stage 1, receive: bytes -> `AuditRecord`; files, the audit webhook, cloud wrappers, cluster watches."""
