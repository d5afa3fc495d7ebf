# class: bombs
# attack: prints half a gigabyte, to the streams and to the descriptors
# noticed: - (what is printed goes nowhere)

# %%
import os
import sys


def gaussian_kl(mu, logvar):
    line = "x" * (1 << 20)
    for _ in range(128):
        print(line)
        print(line, file=sys.stderr)
        os.write(1, line.encode())
        os.write(2, line.encode())
    return torch.zeros(len(mu))
