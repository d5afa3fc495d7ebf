# class: time
# attack: thirty definitions of which each hangs, to be paid for one by one
# noticed: still running
# seconds: 90

# %%
class A1:
    import time

    time.sleep(1e6)


class A2:
    while True:
        pass


class A3:
    while True:
        pass


class A4:
    while True:
        pass


class A5:
    while True:
        pass


class A6:
    while True:
        pass


class A7:
    while True:
        pass


class A8:
    while True:
        pass


class A9:
    while True:
        pass


class A10:
    while True:
        pass


class A11:
    while True:
        pass


class A12:
    while True:
        pass


class A13:
    while True:
        pass


class A14:
    while True:
        pass


class A15:
    while True:
        pass


class A16:
    while True:
        pass


class A17:
    while True:
        pass


class A18:
    while True:
        pass


class A19:
    while True:
        pass


class A20:
    while True:
        pass


class A21:
    while True:
        pass


class A22:
    while True:
        pass


class A23:
    while True:
        pass


class A24:
    while True:
        pass


class A25:
    while True:
        pass


class A26:
    while True:
        pass


class A27:
    while True:
        pass


class A28:
    while True:
        pass


class A29:
    while True:
        pass


class A30:
    while True:
        pass
