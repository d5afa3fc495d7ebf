# class: objects that lie
# attack: objects whose every attribute raises SystemExit, loops, or is of the wrong type, so that describing them fails
# noticed: its process ended|still running|Crash|is a class
# seconds: 60


# %%
class Trap:
    def __getattribute__(self, name):
        raise SystemExit(0)

    def __call__(self, *args, **kwargs):
        return 3


class Meta(type):
    def __getattribute__(cls, name):
        raise SystemExit(0)


class VAE(metaclass=Meta):
    __module__ = 3


class Endless:
    def __call__(self, *args, **kwargs):
        return 3

    @property
    def __wrapped__(self):
        return Endless()


gaussian_kl = Trap()
bernoulli_nll = Endless()
