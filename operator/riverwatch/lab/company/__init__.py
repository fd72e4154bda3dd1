"""The recorded company as data: teams, workloads, people, rights, and the objects that make them real."""
