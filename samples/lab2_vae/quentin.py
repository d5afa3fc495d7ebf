# start: solution
# All functions right; the questions not thought through.

# %%
answer_kl_sign = "b"
answer_logvar = "a"
answer_holes = "A and b"
answer_equal_ranges = ""
