// Wiring.
