"""Lab 1: autoencoders, what a bottleneck learns, and why an autoencoder cannot sample."""
