# class: forged frames
# attack: sends frames without end while the definitions are run
# noticed: still running|forged an answer
# needs: _forge

# %%
class Flood:
    padded = frame(b'{"at": 3' + b" " * 4_000_000 + b"}", {"x": torch.zeros(1 << 22)})
    while True:
        say(padded)
