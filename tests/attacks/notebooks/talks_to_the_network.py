# class: network
# attack: opens connections, asks for names, listens, and speaks to local services
# noticed: opened a socket|looked up a host's address

# %%
import socket
import urllib.request


def gaussian_kl(mu, logvar):
    for how in (
        lambda: socket.create_connection(("1.1.1.1", 53), timeout=1),
        lambda: socket.create_connection(("127.0.0.1", 22), timeout=1),
        lambda: socket.getaddrinfo("example.org", 80),
        lambda: socket.gethostbyname("localhost") and socket.socket(),
        lambda: urllib.request.urlopen("http://169.254.169.254/", timeout=1),
        lambda: socket.socket(socket.AF_UNIX).connect("\0abstract"),
        lambda: socket.socketpair(),
        lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW),
        lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM).bind(("0.0.0.0", 5353)),
    ):
        try:
            how()
        except OSError:
            continue
        raise RuntimeError("BROKEN: it can use the network")
    return torch.zeros(len(mu))
