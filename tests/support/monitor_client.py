"""Clients of the Monitor service, generated from its proto as any foreign client's would be: an
agent that pushes frames, and a reader that checks what it gets.
"""
import importlib
import pathlib
import sys
import tempfile
import threading
import time

import grpc
from grpc_tools import protoc

import bank

PROTO = bank.ROOT / "proto"


def _generate():
    folder = tempfile.mkdtemp(prefix="monitor-client-")
    files = [str(PROTO / "bank/v1" / name) for name in ("monitor.proto", "admin.proto")]
    assert protoc.main(["protoc", f"-I{PROTO}", f"--python_out={folder}", f"--grpc_python_out={folder}", *files]) == 0
    for package in ("bank", "bank/v1"):  # a package proper, or this folder's bank.py is found first
        (pathlib.Path(folder) / package / "__init__.py").touch()
    sys.path.insert(0, folder)
    return (importlib.import_module("bank.v1.monitor_pb2"), importlib.import_module("bank.v1.monitor_pb2_grpc"))


def _generated():
    """The generated package is called `bank`, and so is this folder's module: each in its turn."""
    ours = sys.modules.pop("bank")
    try:
        return _generate()
    finally:
        for name in [n for n in sys.modules if n == "bank" or n.startswith("bank.")]:
            del sys.modules[name]
        sys.modules["bank"] = ours


pb, pb_grpc = _generated()


def stub(address, credentials=None):
    """Its own connection, which is tried again soon."""
    options = [("grpc.use_local_subchannel_pool", 1), ("grpc.initial_reconnect_backoff_ms", 100),
               ("grpc.max_reconnect_backoff_ms", 500)]
    channel = grpc.secure_channel(address, credentials, options=options) if credentials else grpc.insecure_channel(address, options=options)
    return pb_grpc.MonitorStub(channel)


class Agent(threading.Thread):
    """Pushes a frame each `interval`, to the first of `addresses` that takes them; goes on after
    what the leader says it has. Keeps all frames."""

    def __init__(self, name, addresses, interval=0.05, credentials=None):
        super().__init__(daemon=True)
        self.credentials = credentials
        self.name_, self.addresses, self.interval = name, addresses, interval
        self.hello = pb.Agent(agent=name, hostname="elsewhere", incarnation=time.time_ns())
        self.frames = []
        self.stopping = threading.Event()
        self.faults = []
        self.start()

    def frame(self):
        number = len(self.frames) + 1
        return pb.MetricFrame(sequence=number, time_unix_nanos=time.time_ns(), series=[1, 2],
                              value=[number, -number])

    def messages(self, last):
        define = [pb.Series(id=1, metric="test.up", unit="1"),
                  pb.Series(id=2, metric="test.down", unit="1", attributes={"kind": "negative"})]
        next_frame = None
        while not self.stopping.is_set():
            if next_frame is None:
                yield pb.MetricPush(hello=self.hello, frames=[pb.MetricFrame(define=define)])
                next_frame = last()
            while next_frame < len(self.frames):
                yield pb.MetricPush(frames=self.frames[next_frame:next_frame + 50])
                next_frame = min(len(self.frames), next_frame + 50)
            time.sleep(self.interval)
            self.frames.append(self.frame())

    def run(self):
        while not self.stopping.is_set():
            for address in self.addresses:
                try:
                    call = None
                    ready = threading.Event()

                    def last():
                        ready.wait(5)
                        return int(dict(call.initial_metadata()).get("bank-last-sequence", "0"))

                    call = stub(address, self.credentials).PushMetrics.future(self.messages(last), wait_for_ready=False)
                    ready.set()
                    call.result()
                except grpc.RpcError as error:
                    self.faults.append(f"{address}: {error.code()}: {error.details()}")
                except ValueError as error:
                    self.faults.append(str(error))
                if self.stopping.is_set():
                    return
                time.sleep(0.05)

    def stop(self):
        self.stopping.set()
        self.join(timeout=10)


class Reader:
    """Reads samples from one branch and holds them to the contract: the sequences of each agent's
    incarnation follow each other, or a gap says which do not come."""

    def __init__(self, address, credentials=None, **request):
        self.request = request
        self.credentials = credentials
        self.position = {}  # agent -> (incarnation, sequence)
        self.gaps = []
        self.missed = 0
        self.samples = []
        self.problems = []
        self.lock = threading.Lock()
        self.connect(address)

    def connect(self, address):
        after = [pb.StreamMetricsRequest.Position(agent=agent, incarnation=inc, sequence=seq)
                 for agent, (inc, seq) in self.position.items()]
        self.stub = stub(address, self.credentials)
        self.call = self.stub.StreamMetrics(pb.StreamMetricsRequest(after=after, **self.request), wait_for_ready=True)
        self.thread = threading.Thread(target=self.read, args=(self.call,), daemon=True)
        self.thread.start()

    def read(self, call):
        try:
            for update in call:
                with self.lock:
                    self.take(update)
        except grpc.RpcError:
            pass

    def take(self, update):
        self.missed += update.missed_samples
        self.gaps += update.gaps
        announced = {}
        for gap in update.gaps:
            announced.setdefault((gap.agent, gap.incarnation), []).append(gap)
        for sample in update.samples:
            self.samples.append(sample)
            incarnation, sequence = self.position.get(sample.agent, (None, 0))
            if (sample.incarnation, sample.sequence) == (incarnation, sequence):
                continue  # another of the same frame
            if incarnation is not None:
                self.check(sample, incarnation, sequence, announced)
            self.position[sample.agent] = (sample.incarnation, sample.sequence)

    def check(self, sample, incarnation, sequence, announced):
        if sample.incarnation == incarnation:
            expected = sequence + 1
        else:
            if not any(gap.reason == "restarted" for gap in announced.get((sample.agent, incarnation), [])):
                self.problems.append(f"{sample.agent}: began anew without a word")
            expected = 1
        for gap in announced.get((sample.agent, sample.incarnation), []):
            if gap.first_sequence == expected and gap.reason != "restarted":
                expected = gap.last_sequence + 1
        if sample.sequence != expected:
            self.problems.append(f"{sample.agent}/{sample.incarnation}: {sample.sequence} after {sequence}")

    def last(self, agent):
        with self.lock:
            return self.position.get(agent, (None, 0))[1]

    def close(self):
        self.call.cancel()
        self.thread.join(timeout=10)


def wait_until(condition, seconds, what):
    """Polls a condition that only other processes can bring about. The bound is for what hangs: a
    machine with much else to do may take several times `seconds`."""
    deadline = time.monotonic() + 3 * seconds * bank.PATIENCE
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {3 * seconds * bank.PATIENCE} s: {what}")
        time.sleep(0.02)
