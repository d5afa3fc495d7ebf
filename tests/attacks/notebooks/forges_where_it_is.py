# class: forged frames
# attack: says of statements that it runs them which are not there (negative, huge, true), and dies
# noticed: its process ended|forged an answer
# needs: _forge

# %%
class Forge:
    for number in (-1, 10**100, True, 5):
        say(frame({"at": number}))
    os._exit(0)
