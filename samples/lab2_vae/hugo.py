# start: solution
# A bracket is missing in one cell; the others count. He also left a plot and an install line in his notebook.

# %% exercise: negative_elbo
# exercise: negative_elbo
def negative_elbo(logits, x, mu, logvar, beta=1.0):
    return (bernoulli_nll(logits, x) + beta * gaussian_kl(mu, logvar).mean()

# %%
%pip install seaborn
!ls
print(input("Which model? "))
