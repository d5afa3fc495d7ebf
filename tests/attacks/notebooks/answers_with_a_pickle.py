# class: pickles
# attack: answers with an object, and with raw frames, whose unpickling runs code
# noticed: forged an answer|loaded a pickle that names code
# needs: _forge

# %%
import pickle


class Payload:
    def __reduce__(self):
        return os.system, ("touch /tmp/BROKEN",)


def gaussian_kl(mu, logvar):
    return Payload()


def bernoulli_nll(logits, x):
    content = pickle.dumps(Payload())
    try:
        pickle.loads(content)
    except OSError:
        pass
    say(struct.pack("<II", len(content), 0) + content)


def mutual_information_gap(codes, factors, bins=20):
    content = pickle.dumps(Payload())
    say(frame(outcomes({}, {}), content))
