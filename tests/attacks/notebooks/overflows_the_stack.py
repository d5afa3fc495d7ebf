# class: crashes
# attack: recursion until the process is killed, in Python and in the parser
# noticed: killed by SIG|RecursionError|its process ended

# %%
import ast
import sys


def gaussian_kl(mu, logvar):
    sys.setrecursionlimit(10**9)

    class Deep:
        def __repr__(self):
            return repr(self)

        __str__ = __hash__ = __repr__

    return str(Deep())


def bernoulli_nll(logits, x):
    ast.literal_eval("-" * 1_000_000 + "1")
    return torch.zeros(len(x))
