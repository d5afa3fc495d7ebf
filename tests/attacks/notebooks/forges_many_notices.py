# class: forged frames
# attack: sends twenty long notices from each of forty processes, so that the report of one submission fills the store
# noticed: forged an answer
# needs: _forge
# seconds: 60


# %%
class Spam:
    def send(turn):
        texts = [f"{turn} {i} " + "\N{PILE OF POO}" * 1900 for i in range(20)]
        header = {**loaded(noticed=texts), "described": {"gaussian_kl": "no description"}}
        say(frame(json.dumps(header, ensure_ascii=False).encode()))
        os._exit(0)


# %%
class A0:
    Spam.send(0)


class A1:
    Spam.send(1)


class A2:
    Spam.send(2)


class A3:
    Spam.send(3)


class A4:
    Spam.send(4)


class A5:
    Spam.send(5)


class A6:
    Spam.send(6)


class A7:
    Spam.send(7)


class A8:
    Spam.send(8)


class A9:
    Spam.send(9)


class A10:
    Spam.send(10)


class A11:
    Spam.send(11)


class A12:
    Spam.send(12)


class A13:
    Spam.send(13)


class A14:
    Spam.send(14)


class A15:
    Spam.send(15)


class A16:
    Spam.send(16)


class A17:
    Spam.send(17)


class A18:
    Spam.send(18)


class A19:
    Spam.send(19)


class A20:
    Spam.send(20)


class A21:
    Spam.send(21)


class A22:
    Spam.send(22)


class A23:
    Spam.send(23)


class A24:
    Spam.send(24)


class A25:
    Spam.send(25)


class A26:
    Spam.send(26)


class A27:
    Spam.send(27)


class A28:
    Spam.send(28)


class A29:
    Spam.send(29)


class A30:
    Spam.send(30)


class A31:
    Spam.send(31)


class A32:
    Spam.send(32)


class A33:
    Spam.send(33)


class A34:
    Spam.send(34)


class A35:
    Spam.send(35)


class A36:
    Spam.send(36)


class A37:
    Spam.send(37)


class A38:
    Spam.send(38)


class A39:
    Spam.send(39)
