"""Runs the stages: `pipeline.py` is pure; the workers around it own queues and threads."""
