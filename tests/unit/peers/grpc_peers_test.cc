// Goal: the transport keeps its contract (message.h) over real sockets: order, nothing twice,
// strangers refused, snapshots whole, every request answered, shutdown at any moment.
// Method: branches in one process on loopback ports of the system's choice.
#include "branch/peers/grpc_peers.h"

#include <grpcpp/server.h>
#include <gtest/gtest.h>

#include <deque>
#include <memory>
#include <vector>

#include "absl/time/time.h"
#include "branch/peers/cluster_service.h"
#include "branch/peers/hello.h"
#include "net/channel.h"

namespace bank::peers {
namespace {

using namespace replication;

constexpr uint64_t kBank = 77;
constexpr absl::Duration kPatience = absl::Seconds(20);

// Records what arrives; answers requests by `answer`.
class Recorder : public PeerHandler {
 public:
  void OnMessage(BranchId from, Message message) override {
    absl::MutexLock lock(&mutex_);
    messages_.emplace_back(from, std::move(message));
  }
  void OnForward(BranchId, ForwardRequest request, ForwardCallback reply) override {
    absl::MutexLock lock(&mutex_);
    requests_.emplace_back(std::move(request), std::move(reply));
  }

  bool AwaitMessages(size_t n, absl::Duration patience = kPatience) {
    absl::MutexLock lock(&mutex_);
    const auto enough = [&] { return messages_.size() >= n; };
    return mutex_.AwaitWithTimeout(absl::Condition(&enough), patience);
  }
  std::vector<std::pair<BranchId, Message>> messages() {
    absl::MutexLock lock(&mutex_);
    return messages_;
  }
  std::pair<ForwardRequest, ForwardCallback> NextRequest() {
    absl::MutexLock lock(&mutex_);
    const auto some = [&] { return !requests_.empty(); };
    EXPECT_TRUE(mutex_.AwaitWithTimeout(absl::Condition(&some), kPatience));
    auto request = std::move(requests_.front());
    requests_.pop_front();
    return request;
  }

 private:
  absl::Mutex mutex_;
  std::vector<std::pair<BranchId, Message>> messages_;
  std::deque<std::pair<ForwardRequest, ForwardCallback>> requests_;
};

// Branch 1, which listens.
class Listener {
 public:
  explicit Listener(int port = 0) : service_({kBank, BranchId(1), {BranchId(2)}}, recorder) {
    grpc::ServerBuilder builder;
    EXPECT_TRUE(net::AddListener(builder, "127.0.0.1:" + std::to_string(port), {}, &port_).ok());
    builder.RegisterService(&service_);
    server_ = builder.BuildAndStart();
  }
  ~Listener() { Stop(); }
  void Stop() {
    service_.Shutdown();
    server_->Shutdown();
    server_->Wait();
  }
  int port() const { return port_; }
  bool started() const { return server_ != nullptr && port_ != 0; }

  Recorder recorder;

 private:
  ClusterService service_;
  int port_ = 0;
  std::unique_ptr<grpc::Server> server_;
};

// Branch 2, which dials.
std::unique_ptr<GrpcPeers> Dialer(int port, uint64_t bank = kBank) {
  static const SteadyClock clock;
  PeersOptions options;
  options.bank = bank;
  options.self = BranchId(2);
  options.addresses = {{BranchId(1), "127.0.0.1:" + std::to_string(port)}};
  return std::make_unique<GrpcPeers>(std::move(options), clock);
}

struct Answer {
  absl::Mutex mutex;
  std::vector<ForwardResult> results;
  ForwardCallback Callback() {
    return [this](ForwardResult result) {
      absl::MutexLock lock(&mutex);
      results.push_back(std::move(result));
    };
  }
  ForwardResult Await() {
    absl::MutexLock lock(&mutex);
    const auto some = [&] { return !results.empty(); };
    EXPECT_TRUE(mutex.AwaitWithTimeout(absl::Condition(&some), kPatience));
    return results.empty() ? ForwardResult() : results.front();
  }
};

TEST(GrpcPeers, MessagesArriveInOrder) {
  Listener listener;
  auto peers = Dialer(listener.port());
  constexpr size_t kCount = 500;
  for (size_t i = 1; i <= kCount; ++i) peers->Send(BranchId(1), ReadProbe{Term(3), i});
  ASSERT_TRUE(listener.recorder.AwaitMessages(kCount));
  const auto messages = listener.recorder.messages();
  for (size_t i = 0; i < kCount; ++i) {
    EXPECT_EQ(messages[i].first, BranchId(2));
    EXPECT_EQ(std::get<ReadProbe>(messages[i].second).round, i + 1);
  }
}

TEST(GrpcPeers, ASnapshotComesAsOneMessage) {
  Listener listener;
  auto peers = Dialer(listener.port());
  std::string state(3'000'000, 'x');
  for (size_t i = 0; i < state.size(); i += 1000) state[i] = static_cast<char>(i / 1000);
  InstallSnapshot install;
  install.term = Term(4);
  install.snapshot = {LogIndex(100), Term(3), LogIndex(50), "conf",
                      std::make_shared<const std::string>(state)};
  // A message first: the snapshot counts only together with the stream it belongs to.
  peers->Send(BranchId(1), ReadProbe{Term(3), 1});
  ASSERT_TRUE(listener.recorder.AwaitMessages(1));
  peers->Send(BranchId(1), install);
  ASSERT_TRUE(listener.recorder.AwaitMessages(2));
  const auto messages = listener.recorder.messages();
  EXPECT_EQ(*std::get<InstallSnapshot>(messages[1].second).snapshot.state, state);
}

// Takes snapshots and never says a word about them.
class SilentBranch final : public v1::Cluster::CallbackService {
 public:
  grpc::ServerBidiReactor<v1::PeerMessage, v1::MessagesReply>* Messages(
      grpc::CallbackServerContext*) override {
    return new Silence<grpc::ServerBidiReactor<v1::PeerMessage, v1::MessagesReply>>;
  }
  grpc::ServerReadReactor<v1::SnapshotPiece>* InstallSnapshot(grpc::CallbackServerContext*,
                                                              v1::InstallSnapshotReply*) override {
    absl::MutexLock lock(&mutex_);
    ++snapshots_;
    return new Silence<grpc::ServerReadReactor<v1::SnapshotPiece>>;
  }
  int snapshots() {
    absl::MutexLock lock(&mutex_);
    return snapshots_;
  }

 private:
  template <class Reactor>
  class Silence final : public Reactor {
    void OnCancel() override { this->Finish(grpc::Status::CANCELLED); }
    void OnDone() override { delete this; }
  };

  absl::Mutex mutex_;
  int snapshots_ ABSL_GUARDED_BY(mutex_) = 0;
};

TEST(GrpcPeers, ASnapshotThatHangsIsSentAgain) {
  SilentBranch silent;
  grpc::ServerBuilder builder;
  int port = 0;
  ASSERT_TRUE(net::AddListener(builder, "127.0.0.1:0", {}, &port).ok());
  builder.RegisterService(&silent);
  std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
  auto peers = Dialer(port);
  InstallSnapshot install;
  install.snapshot = {LogIndex(100), Term(3), LogIndex(50), "conf",
                      std::make_shared<const std::string>("state")};
  // As the engine does, which hears nothing. A branch that is not there yet loses it, too.
  const absl::Time end = absl::Now() + kPatience;
  while (silent.snapshots() < 3 && absl::Now() < end) {
    peers->Send(BranchId(1), install);
    absl::SleepFor(absl::Milliseconds(20));
  }
  EXPECT_GE(silent.snapshots(), 3);
  peers->Shutdown();
  server->Shutdown();
}

TEST(GrpcPeers, RequestsAreAnswered) {
  Listener listener;
  auto peers = Dialer(listener.port());
  Answer first, second;
  peers->Forward(BranchId(1), {"ab", 1, false, 1000}, first.Callback());
  peers->Forward(BranchId(1), {"", 0, true, 1000}, second.Callback());
  auto [request1, reply1] = listener.recorder.NextRequest();
  auto [request2, reply2] = listener.recorder.NextRequest();
  if (request1.read_index) {
    std::swap(request1, request2);
    std::swap(reply1, reply2);
  }
  EXPECT_EQ(request1.batch, "ab");
  ForwardResult index;
  index.fate = Fate::kNotApplied;
  index.read_index = LogIndex(12);
  reply2(index);  // in any order
  EXPECT_EQ(second.Await().read_index, LogIndex(12));
  ForwardResult applied;
  applied.fate = Fate::kApplied;
  applied.outcomes = {{ledger::Code::kOk, false, Position(5), 70}};
  reply1(applied);
  EXPECT_EQ(first.Await().outcomes, applied.outcomes);
}

TEST(GrpcPeers, AnAnswerThatMakesNoSenseLeavesTheOutcomeUnknown) {
  Listener listener;
  auto peers = Dialer(listener.port());
  Answer answer;
  peers->Forward(BranchId(1), {"ab", 1, false, 1000}, answer.Callback());
  ForwardResult two;
  two.fate = Fate::kApplied;
  two.outcomes = {{ledger::Code::kOk, false, Position(5), 70},
                  {ledger::Code::kOk, false, Position(6), 71}};
  listener.recorder.NextRequest().second(two);
  EXPECT_EQ(answer.Await().fate, Fate::kUnknown);
}

// More than may be unanswered at a time.
TEST(GrpcPeers, ALeaderThatAnswersNeverBecomesBusy) {
  Listener listener;
  auto peers = Dialer(listener.port());
  for (uint64_t i = 1; i <= 1100; ++i) {
    Answer answer;
    peers->Forward(BranchId(1), {"ab", 1, false, 1000}, answer.Callback());
    ForwardResult applied;
    applied.fate = Fate::kApplied;
    applied.outcomes = {{ledger::Code::kOk, false, Position(i), 70}};
    listener.recorder.NextRequest().second(applied);
    ASSERT_EQ(answer.Await().fate, Fate::kApplied) << i;
  }
}

TEST(GrpcPeers, AnUnreachableLeaderIsACertainAnswer) {
  int port;
  {
    Listener listener;
    port = listener.port();
  }
  auto peers = Dialer(port);
  Answer answer;
  peers->Forward(BranchId(3), {"ab", 1, false, 1000}, answer.Callback());
  EXPECT_EQ(answer.Await().fate, Fate::kNotApplied);  // no such branch
  Answer refused;
  peers->Forward(BranchId(1), {"ab", 1, false, 1000}, refused.Callback());
  EXPECT_NE(refused.Await().fate, Fate::kApplied);  // its writing had begun: perhaps unknown
}

TEST(GrpcPeers, ABrokenStreamAnswersUnknownAndIsDialledAgain) {
  auto listener = std::make_unique<Listener>();
  const int port = listener->port();
  auto peers = Dialer(port);
  Answer answer;
  peers->Forward(BranchId(1), {"ab", 1, false, 1000}, answer.Callback());
  auto [request, reply] = listener->recorder.NextRequest();
  listener->Stop();
  EXPECT_EQ(answer.Await().fate, Fate::kUnknown);
  reply({Fate::kApplied, {}, "", {}, {}});  // too late: dropped
  listener = std::make_unique<Listener>(port);
  ASSERT_TRUE(listener->started());
  // Messages may be lost until the stream is back; what counts is that it comes back. The pace is
  // that of heartbeats.
  for (uint64_t round = 1; round < 2000; ++round) {
    peers->Send(BranchId(1), ReadProbe{Term(3), round});
    if (listener->recorder.AwaitMessages(1, absl::Milliseconds(10))) break;
  }
  EXPECT_FALSE(listener->recorder.messages().empty());
}

TEST(GrpcPeers, AnotherBankIsRefused) {
  Listener listener;
  auto peers = Dialer(listener.port(), kBank + 1);
  Answer answer;
  peers->Send(BranchId(1), ReadProbe{Term(3), 1});
  peers->Forward(BranchId(1), {"ab", 1, false, 1000}, answer.Callback());
  EXPECT_EQ(answer.Await().fate, Fate::kUnknown);
  EXPECT_TRUE(listener.recorder.messages().empty());
}

// Many times, because what can go wrong here is a race between the last reaction and the end.
TEST(GrpcPeers, ShutsDownAtAnyMoment) {
  Listener listener;
  for (int i = 0; i < 40; ++i) {
    auto peers = Dialer(listener.port());
    Answer answer;
    for (int n = 0; n < i; ++n) peers->Send(BranchId(1), ReadProbe{Term(1), 1});
    peers->Forward(BranchId(1), {"ab", 1, false, 1000}, answer.Callback());
    if (i % 3 == 0) listener.recorder.NextRequest().second({Fate::kNotApplied, {}, "", {}, {}});
    peers->Shutdown();
    EXPECT_EQ(answer.results.size(), 1u);
    peers->Send(BranchId(1), ReadProbe{Term(1), 2});  // lost, not a crash
  }
}

}  // namespace
}  // namespace bank::peers
