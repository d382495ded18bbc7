"""A customer that misbehaves on order. Usage: unruly.py FIFO OUTPUT DEED...

Every process that comes of it keeps FIFO open for writing and says there what it is: who reads FIFO to its end
knows that none is left.
"""
import os
import signal
import sys

RIGHT = '[{"id":1,"recv":[{"interface":"query","balance":400}]}]'  # to input/against/one_query.json


def say(what):
    os.write(fifo, f"{what}\n".encode())


def stay():
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)


def apart(deed):
    """`deed` in a grandchild that nobody waits for, in a session of its own."""
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            stay()
            deed()
        os._exit(0)
    os.wait()


def daemon():
    say("daemon")
    while True:
        signal.pause()


def babble():
    say("babble")
    while True:
        os.write(1, b"and so on\n" * 1000)


def chain():
    say("chain")
    while os.fork() == 0 or os._exit(0):
        pass


def answer():
    with open(output, "w", encoding="utf-8") as file:
        file.write(RIGHT)


def stubborn():
    stay()
    say("stubborn")
    while True:
        signal.pause()


def flood():
    for number in range(20):
        os.write(1, b"%07d\n" % number * (1 << 17))  # a MiB


def large():
    with open("large", "wb") as file:
        file.truncate(1 << 40)


def crash():
    print("there is no such branch", file=sys.stderr)
    sys.exit(9)


def variables():
    print([name for name in os.environ if name.startswith("BANK_")])


DEEDS = {
    "daemon": lambda: apart(daemon), "babble": lambda: apart(babble), "chain": lambda: apart(chain), "answer": answer, "stubborn": stubborn,
    "flood": flood, "large": large, "crash": crash, "variables": variables, "nothing": lambda: None,
}

fifo, output = os.open(sys.argv[1], os.O_WRONLY), sys.argv[2]
for deed in sys.argv[3:]:
    DEEDS[deed]()
