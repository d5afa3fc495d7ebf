# class: objects that lie
# attack: objects that act when they are deleted, copied, printed or collected
# noticed: -  (they act in their own process)

# %%
import gc


class Bomb:
    def __del__(self):
        globals()["gaussian_kl"] = lambda mu, logvar: torch.zeros(len(mu))
        gc.collect()

    def __repr__(self):
        raise KeyboardInterrupt

    __str__ = __copy__ = __deepcopy__ = __iter__ = __len__ = __repr__


def gaussian_kl(mu, logvar):
    return Bomb()


def bernoulli_nll(logits, x):
    raise Exception(Bomb())
