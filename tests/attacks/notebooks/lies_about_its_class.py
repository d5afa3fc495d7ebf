# class: objects that lie
# attack: classes and objects that lie about their type, name, module, wrapped function and attributes
# noticed: -  (only the process that holds them asks them; what they say is only an answer)


# %%
class Meta(type):
    __instancecheck__ = __subclasscheck__ = lambda cls, other: True
    __name__ = property(lambda cls: "VAE")
    __module__ = "torch.nn"

    def __getattribute__(cls, name):
        if name == "__wrapped__":
            raise AttributeError(name)
        return super().__getattribute__(name)

    def __eq__(cls, other):
        return True

    def __hash__(cls):
        return 0


class Liar(metaclass=Meta):
    __wrapped__ = None

    def __call__(self, *args, **kwargs):
        return torch.zeros(len(args[0]))

    @property
    def __class__(self):
        return type(torch.zeros)

    @property
    def __name__(self):
        return "gaussian_kl"

    @property
    def __code__(self):
        return check.__code__


gaussian_kl = Liar()
bernoulli_nll = Liar()
VAE = Meta("VAE", (nn.Module,), {"__module__": "torch.nn.modules", "__init__": VAE.__init__})
