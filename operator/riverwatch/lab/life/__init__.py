"""What everybody in the recorded company does, and when: habits as timed scripts of API requests."""
