# class: forged frames
# attack: sends fingerprints that no report can be made of: negative, huge, infinite
# noticed: forged an answer
# needs: _forge

# %%
class Forge:
    prints = b'{"gaussian_kl": [-1, 99999999999999999999999], "bernoulli_nll": [1e999], "VAE": ["7"]}'
    say(frame(json.dumps(loaded(fingerprints="?")).encode().replace(b'"?"', prints)))
    time.sleep(60)
