# class: special answers
# attack: the right answer, but the input's storage is exchanged, resized or of another type afterwards
# noticed: wrote into its input


# %%
def traverse(model, z, dim, values):
    codes = z.repeat(len(values), 1)
    codes[:, dim] = values
    was_training = model.training
    model.eval()
    with torch.no_grad():
        images = torch.sigmoid(model.decode(codes))
    model.train(was_training)
    z.data = torch.full_like(z, 5.0).double()
    return images
