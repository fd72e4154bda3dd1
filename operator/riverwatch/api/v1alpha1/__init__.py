"""Version v1alpha1 of the group ``riverwatch.dev``: one module per kind, `words` for its closed sets."""
