# class: outliving the answer
# attack: threads, timers, exit handlers and weak references that are to act when the next submission is graded
# noticed: - (threads end with their process, and an exercise may use them)

# %%
import atexit
import signal
import threading
import time
import weakref


class Later:
    def disturb(*args):
        time.sleep(0.2)
        while True:
            time.sleep(0.01)

    for daemon in (True, False):
        threading.Thread(target=disturb, daemon=daemon).start()
    threading.Timer(0.1, disturb).start()
    atexit.register(disturb)
    weakref.finalize(torch, disturb)
    signal.signal(signal.SIGTERM, disturb)
    signal.signal(signal.SIGCHLD, disturb)
    signal.setitimer(signal.ITIMER_PROF, 1000)
