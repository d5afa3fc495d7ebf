# class: forged frames
# attack: sends a frame byte by byte, and never its end
# noticed: still running
# needs: _forge


# %%
def gaussian_kl(mu, logvar):
    say(struct.pack("<II", 1000, 0))
    while True:
        say(b" ")
        time.sleep(0.05)
