# class: outliving the answer
# attack: leaves files, folders, pipes, links and locks where the next submission or the grader might meet them
# noticed: wrote a file

# %%
import fcntl
import os
import tempfile


def gaussian_kl(mu, logvar):
    def attempt(how):
        try:
            how()
        except (OSError, FileNotFoundError):
            return
        raise RuntimeError("BROKEN")

    for folder in ("/tmp", "/dev/shm", "/var/tmp", "/run", "/", ".", os.environ["MPLCONFIGDIR"], os.environ["HOME"]):
        path = os.path.join(folder, "left-behind")
        attempt(lambda path=path: open(path, "w"))
        attempt(lambda path=path: os.mkdir(path))
        attempt(lambda path=path: os.mkfifo(path))
        attempt(lambda path=path: os.symlink("/etc/passwd", path))
        attempt(lambda folder=folder: os.rename(folder, folder + "-old"))
    attempt(tempfile.mkdtemp)
    fcntl.flock(os.open(torch.__file__, os.O_RDONLY), fcntl.LOCK_EX | fcntl.LOCK_NB)
    return torch.zeros(len(mu))
