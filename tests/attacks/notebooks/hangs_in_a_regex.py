# class: time
# attack: hangs inside C code that looks at no signal: a regular expression with exponential backtracking
# noticed: gaussian_kl: still running

# %%
import re


def gaussian_kl(mu, logvar):
    re.match(r"(a|a)*$", "a" * 60 + "b")
