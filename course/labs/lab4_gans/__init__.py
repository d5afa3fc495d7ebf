"""Lab 4: generative adversarial networks."""
