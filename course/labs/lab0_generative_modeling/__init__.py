"""Lab 0: generative modelling: densities, samples, and latent variables."""
