"""kopf only: reconciles policies and rules, watches the inventory, probes."""
