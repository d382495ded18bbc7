#!/usr/bin/python3
"""Writes a right history of many operations: 64 customers, each with one deposit under way.

  mkfifo /tmp/history && tests/support/long_history.py 10000000 > /tmp/history &
  build/release/bin/checker /tmp/history
"""
import sys

CUSTOMERS = 64
NAME = '"process":%d,"id":%d,"session":%d,"sequence":%d,"op":"deposit","account":"shared","amount":1,'
INVOKE = '{"type":"invoke",' + NAME + '"branch":1,"ns":%d}\n'
ANSWER = '{"type":"ok",' + NAME + '"result":"ok","balance":%d,"index":%d,"branch":1,"ns":%d}\n'


def main():
    if len(sys.argv) != 2 or not sys.argv[1].isdigit():
        sys.exit(__doc__)
    operations = int(sys.argv[1])
    write = sys.stdout.write
    write('{"type":"header","version":1,"initial":{"shared":0}}\n')
    for step in range(operations + CUSTOMERS):
        answered = step - CUSTOMERS
        if answered >= 0:
            who, number = answered % CUSTOMERS + 1, answered // CUSTOMERS + 1
            write(ANSWER % (who, number, who, number, answered + 1, answered + 1, step * 10))
        if step < operations:
            who, number = step % CUSTOMERS + 1, step // CUSTOMERS + 1
            write(INVOKE % (who, number, who, number, step * 10 + 5))


if __name__ == "__main__":
    main()
