"""Lab 5: pix2pix and CycleGAN, on scenes whose true counterparts are known."""
