# class: forged frames
# attack: fills the channel in one direction while the grader fills it in the other
# noticed: nobody had asked for|still running|forged an answer
# needs: _forge

# %%
import threading

from course.grading import wire


class Deaf:
    def flood():
        time.sleep(0.02)
        while True:
            say(b"\0" * 65536)

    def receive(descriptor):
        threading.Thread(target=Deaf.flood, daemon=True).start()
        time.sleep(1000)

    wire.receive = receive
