"""The collectors say what free, top, iostat and ifstat say beside them.

Both look at the same seconds, in which this test writes to the disk, talks to itself over the
loopback interface and keeps a processor busy. The windows of two programs differ by their start-up,
so each comparison states its tolerance; what a machine's other work does in that difference is what
the tolerance is for.
"""
import json
import os
import pathlib
import shutil
import socket
import subprocess
import tempfile
import threading
import time
import unittest

READINGS = pathlib.Path(os.environ["BANK_BIN"]).parent / "tests" / "readings"
SECONDS = 5
PLAIN = {**os.environ, "LC_ALL": "C", "COLUMNS": "200"}


def needs(tool):
    return unittest.skipUnless(shutil.which(tool), f"{tool} is not installed")


class Readings:
    """The collectors' frames over some seconds, one a second, taken in the background."""

    def __init__(self, seconds=SECONDS):
        self.process = subprocess.Popen([READINGS, "1000", str(seconds + 1)],
                                        stdout=subprocess.PIPE, text=True)

    def frames(self):
        """Without the first, which cannot have rates."""
        printed, _ = self.process.communicate(timeout=60)
        return [json.loads(line) for line in printed.splitlines()][1:]


def values(frames, metric, **attributes):
    return [reading["value"] for frame in frames for reading in frame["readings"]
            if reading["metric"] == metric and reading["attributes"] == attributes]


def mean(numbers):
    return sum(numbers) / len(numbers)


class Load:
    """Bytes over loopback, bytes to the disk, and a busy processor: all in the middle of a window."""

    def __enter__(self):
        self.folder = tempfile.TemporaryDirectory(dir="/var/tmp")  # on a disk
        self.ends = time.monotonic() + SECONDS - 1
        self.threads = [threading.Thread(target=work) for work in (self.talk, self.write)]
        self.burner = subprocess.Popen(["/bin/sh", "-c", "while :; do :; done"])
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.burner.kill()
        self.burner.wait()
        for thread in self.threads:
            thread.join()
        self.folder.cleanup()

    def talk(self):
        with socket.create_server(("127.0.0.1", 0)) as server:
            near = socket.create_connection(server.getsockname())
            far, _ = server.accept()
            with near, far:
                while time.monotonic() < self.ends:
                    near.sendall(bytes(32_768))
                    left = 32_768
                    while left > 0:
                        left -= len(far.recv(left))
                    time.sleep(0.01)  # a steady stream, not as much as there can be

    def write(self):
        path = os.path.join(self.folder.name, "written")
        with open(path, "wb", buffering=0) as file:
            while time.monotonic() < self.ends:
                file.write(os.urandom(1 << 20))
                os.fsync(file.fileno())
                file.seek(0)


class Beside(unittest.TestCase):
    def assert_near(self, ours, theirs, relative, absolute, what):
        print(f"{what}: {ours:.6g} beside {theirs:.6g}")
        self.assertLessEqual(abs(ours - theirs), max(relative * abs(theirs), absolute), what)

    @needs("free")
    def test_memory_as_free(self):
        # Within 2 % of the memory: programs come and go between two looks.
        readings = Readings(seconds=1)
        frames = readings.frames()
        lines = subprocess.run(["free", "-b", "-w"], env=PLAIN, check=True, capture_output=True,
                               text=True).stdout.splitlines()
        theirs = dict(zip(lines[0].split(), map(int, lines[1].split()[1:])))
        total = theirs["total"]
        for state, column in (("used", "used"), ("free", "free"), ("cached", "cache"),
                              ("buffers", "buffers")):
            ours = values(frames, "system.memory.usage", state=state)[-1]
            self.assert_near(ours, theirs[column], 0, 0.02 * total, f"memory {state}")
        percent = values(frames, "system.memory.utilization")[-1]
        self.assert_near(percent, 100 * theirs["used"] / total, 0, 2, "memory %")

    @needs("top")
    def test_processors_as_top(self):
        # Within 10 points of a hundred, averaged over some seconds.
        with Load():
            readings = Readings()
            printed = subprocess.run(["top", "-b", "-d", str(SECONDS), "-n", "2"], env=PLAIN,
                                     check=True, capture_output=True, text=True).stdout
            frames = readings.frames()
        line = [line for line in printed.splitlines() if line.startswith("%Cpu")][-1]
        shares = {name: float(share) for share, name in
                  (part.split() for part in line.split(":")[1].split(","))}
        busy = 100 - shares["id"] - shares["wa"]
        ours = mean(values(frames, "system.cpu.utilization"))
        self.assert_near(ours, busy, 0, 10, "cpu %")
        cores = [mean(values(frames, "system.cpu.utilization", cpu=str(cpu)))
                 for cpu in range(os.cpu_count())]
        self.assert_near(mean(cores), ours, 0, 3, "cpu %, mean of the cores")

    @needs("iostat")
    def test_disks_as_iostat(self):
        # Each disk within 25 %, or 1,000 KiB/s where there is little.
        with Load():
            readings = Readings()
            printed = subprocess.run(["iostat", "-d", "-k", "-y", "-o", "JSON", str(SECONDS), "1"],
                                     env=PLAIN, check=True, capture_output=True, text=True).stdout
            frames = readings.frames()
        disks = json.loads(printed)["sysstat"]["hosts"][0]["statistics"][0]["disk"]
        compared = 0
        for disk in disks:
            for direction, column in (("read", "kB_read/s"), ("write", "kB_wrtn/s")):
                ours = values(frames, "system.disk.io", device=disk["disk_device"],
                              direction=direction)
                if ours:
                    self.assert_near(mean(ours), disk[column], 0.25, 1000,
                                     f"{disk['disk_device']} {direction} KiB/s")
                    compared += 1
        if disks:
            self.assertGreater(compared, 0)

    @needs("ifstat")
    def test_loopback_as_ifstat(self):
        # Within 25 %, or 500 KiB/s where there is little.
        with Load():
            readings = Readings()
            printed = subprocess.run(["ifstat", "-i", "lo", str(SECONDS), "1"], env=PLAIN,
                                     check=True, capture_output=True, text=True).stdout
            frames = readings.frames()
        received, transmitted = map(float, printed.splitlines()[-1].split())
        for direction, theirs in (("receive", received), ("transmit", transmitted)):
            ours = mean(values(frames, "system.network.io", device="lo", direction=direction))
            self.assert_near(ours, theirs, 0.25, 500, f"lo {direction} KiB/s")
            self.assertGreater(ours, 100)


if __name__ == "__main__":
    unittest.main()
