"""The only code that calls the API server outside kopf; typed errors; never on an event loop."""
