"""Play a life on a real API server faster than it would happen, and write down what the API server recorded."""
