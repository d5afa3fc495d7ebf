# class: time
# attack: blocks and ignores all signals, catches every exception, and goes on for ever
# noticed: gaussian_kl: still running

# %%
import signal


def gaussian_kl(mu, logvar):
    signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65))
    for number in range(1, 65):
        try:
            signal.signal(number, signal.SIG_IGN)
        except (OSError, ValueError):
            pass
    while True:
        try:
            while True:
                pass
        except BaseException:
            pass
