"""Which ports the branches of a run get: `base + i` for branch i where the user fixed the base, else free ones by place in the list."""
import errno
import random
import socket

PORT_MAX = 65535
HTTP_ABOVE = 1000  # a served branch's console is so far above its port
ATTEMPTS = 200
# Below the ports that the system gives to outgoing connections.
FREE_MIN, FREE_MAX = 10_000, 32_000


class NoPorts(Exception):
    """Why there are none, in one line."""


def fixed(base, ids, http):
    """branch -> port. Raises NoPorts for the first branch whose port, or whose console's, would be none."""
    for branch in ids:
        wanted = {f"branch {branch}": base + branch}
        if http:
            wanted[f"the console of branch {branch}"] = base + branch + HTTP_ABOVE
        for what, port in wanted.items():
            if port > PORT_MAX:
                raise NoPorts(f"--base-port {base}: {what} would be at port {port}, and the highest is {PORT_MAX}")
    return {branch: base + branch for branch in ids}


def free(ids):
    """branch -> port: neighbours, all of them free at this moment."""
    if len(ids) > FREE_MAX - FREE_MIN:
        raise NoPorts(f"{len(ids)} branches are more than this machine has ports for")
    for _ in range(ATTEMPTS):
        first = random.randrange(FREE_MIN, FREE_MAX - len(ids) + 1)
        if all(is_free(port) for port in range(first, first + len(ids))):
            return dict(zip(ids, range(first, first + len(ids))))
    raise NoPorts(f"found no {len(ids)} free ports in a row in {ATTEMPTS} attempts")


def is_free(port):
    for family, kind, protocol, _, address in socket.getaddrinfo("localhost", port, type=socket.SOCK_STREAM):
        try:
            with socket.socket(family, kind, protocol) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind(address)
        except OSError as error:
            # A machine without IPv6 has no ::1, and that is no hindrance.
            if error.errno == errno.EADDRINUSE or family == socket.AF_INET:
                return False
    return True
