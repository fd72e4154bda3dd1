"""The custom-resource types (pydantic): the single source of ``crds/*.yaml``."""
