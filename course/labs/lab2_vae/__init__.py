"""Lab 2: variational autoencoders, their latent space, β-VAE and disentanglement."""
