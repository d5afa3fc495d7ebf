# class: forged frames
# attack: a thread goes on sending answers, between and after the questions
# noticed: nobody had asked for|forged an answer
# needs: _forge

# %%
import threading


class Forge:
    def go_on():
        while True:
            time.sleep(0.001)
            say(outcome({"KL": torch.zeros(5)}))

    threading.Thread(target=go_on, daemon=True).start()
