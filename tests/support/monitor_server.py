"""A server of the exercise, written from monitor.proto alone: agents push their metrics to it and
keep a command stream open; it collects and commands.
"""
import concurrent.futures
import queue
import threading
import time

import grpc

import monitor_client
from monitor_client import pb, pb_grpc

ANSWER_S = 30


class Server(pb_grpc.MonitorServicer):
    """Use as a context manager. `remembers`: it says what it has of an agent before it takes more."""

    def __init__(self, address="localhost:0", credentials=None, remembers=True, store=None):
        self.wanted, self.credentials, self.remembers = address, credentials, remembers
        self.agents = {}
        self.said = {}
        # (agent, incarnation) -> sequence -> frame; given on, it outlives this server.
        self.frames = {} if store is None else store
        self.pushed = 0
        self.open = threading.Event()  # closed: it does not read what is pushed
        self.open.set()

    def __enter__(self):
        self.server = grpc.server(concurrent.futures.ThreadPoolExecutor(max_workers=32), options=[("grpc.so_reuseport", 0)])
        pb_grpc.add_MonitorServicer_to_server(self, self.server)
        if self.credentials is None:
            port = self.server.add_insecure_port(self.wanted)
        else:
            port = self.server.add_secure_port(self.wanted, self.credentials)
        self.address = f"localhost:{port}"
        self.server.start()
        return self

    def __exit__(self, *_):
        self.open.set()
        self.server.stop(grace=None).wait()

    def PushMetrics(self, pushes, context):
        hello = next(pushes).hello
        frames = self.frames.setdefault((hello.agent, hello.incarnation), {})
        if self.remembers:
            context.send_initial_metadata([("bank-last-sequence", str(max(frames, default=0)))])
        for push in pushes:
            self.open.wait()
            for frame in push.frames:
                self.pushed += 1
                if frame.sequence:
                    frames[frame.sequence] = frame
        return pb.PushMetricsReply()

    def sequences(self, agent):
        """Of the agent's newest incarnation, in order."""
        newest = max((key for key in list(self.frames) if key[0] == agent), default=None)
        return sorted(self.frames.get(newest, {}))

    def whole(self, agent):
        """Whether each frame of the agent is there, or the one after it says how many were lost."""
        newest = max((key for key in list(self.frames) if key[0] == agent), default=None)
        expected = 1
        for sequence, frame in sorted(self.frames.get(newest, {}).items()):
            if expected + frame.lost_before != sequence:
                return False
            expected = sequence + 1
        return expected > 1

    def CommandStream(self, responses, context):
        hello = next(responses).hello
        requests = queue.Queue()
        context.add_callback(lambda: requests.put(None))  # else this thread would outlive the call
        self.agents[hello.agent] = requests
        threading.Thread(target=self.listen, args=(hello.agent, responses), daemon=True).start()
        yield from iter(requests.get, None)

    def listen(self, agent, responses):
        try:
            for response in responses:
                self.said.setdefault((agent, response.id), queue.Queue()).put(response)
        except grpc.RpcError:
            pass

    def ask(self, agent, id, **command):
        answers = self.said.setdefault((agent, id), queue.Queue())
        self.agents[agent].put(pb.CommandRequest(id=id, issuer="teacher", deadline_ms=10_000, issued_unix_nanos=time.time_ns(), command=pb.Command(**command)))
        said = [answers.get(timeout=ANSWER_S)]
        while not said[-1].HasField("result"):
            said.append(answers.get(timeout=ANSWER_S))
        return said


class CommandsOnly(Server):
    """One that knows nothing of metrics."""

    def PushMetrics(self, pushes, context):
        context.abort(grpc.StatusCode.UNIMPLEMENTED, "no metrics here")
