"""One thread: the tensors are small, and other processes want the cores too."""

import torch

torch.set_num_threads(1)
