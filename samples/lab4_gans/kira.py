# start: solution
# All functions right; the questions not thought through.

# %%
answer_convention = "a"
answer_misprint = "A"
answer_adam = "C "
answer_collapse = ""
answer_spherical = "b or c"
