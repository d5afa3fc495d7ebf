# class: special answers
# attack: the right answer, but the input is written to by ways that torch's version counter does not see
# noticed: wrote into its input

# %%
import ctypes


def traverse(model, z, dim, values):
    codes = z.repeat(len(values), 1)
    codes[:, dim] = values
    was_training = model.training
    model.eval()
    with torch.no_grad():
        images = torch.sigmoid(model.decode(codes))
    model.train(was_training)
    z.data[dim] = 7.0
    z.numpy()[0] = 8.0
    ctypes.memset(z.data_ptr(), 1, 2)
    return images
