// Goal: the transport keeps its contract (message.h) over real sockets: order, nothing twice,
// strangers refused, snapshots whole, every request answered, shutdown at any moment.
// Method: branches in one process on loopback ports of the system's choice.
#include "branch/peers/grpc_peers.h"

#include <grpcpp/server.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <deque>
#include <memory>
#include <vector>

#include "absl/time/time.h"
#include "branch/ledger/command.h"
#include "branch/peers/cluster_service.h"
#include "branch/peers/convert.h"
#include "branch/peers/hello.h"
#include "branch/peers/message_link.h"
#include "branch/peers/snapshot_sender.h"
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
    is_held_up_ = is_held_;
    const auto may_go_on = [this] { return !is_held_; };
    mutex_.Await(absl::Condition(&may_go_on));
    messages_.emplace_back(from, std::move(message));
  }
  void OnConnectionLost(BranchId from) override {
    absl::MutexLock lock(&mutex_);
    lost_.push_back(from);
  }
  void OnForward(BranchId, ForwardRequest request, ForwardCallback reply) override {
    absl::MutexLock lock(&mutex_);
    requests_.emplace_back(std::move(request), std::move(reply));
  }

  // Until it is released, the next message keeps those behind it from being read.
  void Hold() {
    absl::MutexLock lock(&mutex_);
    is_held_ = true;
  }
  void Release() {
    absl::MutexLock lock(&mutex_);
    is_held_ = false;
  }
  bool AwaitHeldUp() {
    absl::MutexLock lock(&mutex_);
    return mutex_.AwaitWithTimeout(absl::Condition(&is_held_up_), kPatience);
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
  bool AwaitLost(size_t n) {
    absl::MutexLock lock(&mutex_);
    const auto enough = [&] { return lost_.size() >= n; };
    return mutex_.AwaitWithTimeout(absl::Condition(&enough), kPatience);
  }
  size_t lost() {
    absl::MutexLock lock(&mutex_);
    return lost_.size();
  }
  bool HasRequest() {
    absl::MutexLock lock(&mutex_);
    return !requests_.empty();
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
  bool is_held_ = false;
  bool is_held_up_ = false;
  std::vector<std::pair<BranchId, Message>> messages_;
  std::vector<BranchId> lost_;
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

// More than gets through to who does not read.
constexpr size_t kLargeBytes = 32 << 20;

AppendEntries LargeMessage() {
  std::string batch;
  uint64_t count = 0;
  for (; batch.size() < kLargeBytes; ++count) {
    ledger::AppendCommand({.account = std::string(ledger::kEncodedNameBytesMax, 'x')}, &batch);
  }
  AppendEntries entries;
  entries.term = Term(3);
  entries.entries.push_back(
      {.term = Term(3),
       .payload = std::make_shared<const std::string>(ledger::EncodeEntry({5, count}, batch))});
  return entries;
}

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

// The end of a process is told; that a newer stream followed is not.
TEST(GrpcPeers, TheEndOfASendersConnectionIsTold) {
  Listener listener;
  auto first = Dialer(listener.port());
  first->Send(BranchId(1), ReadProbe{Term(3), 1});
  ASSERT_TRUE(listener.recorder.AwaitMessages(1));
  auto second = Dialer(listener.port());
  second->Send(BranchId(1), ReadProbe{Term(3), 2});
  ASSERT_TRUE(listener.recorder.AwaitMessages(2));
  first->Shutdown();
  EXPECT_EQ(listener.recorder.lost(), 0u);
  second->Shutdown();
  EXPECT_TRUE(listener.recorder.AwaitLost(1));
  listener.Stop();
  EXPECT_EQ(listener.recorder.lost(), 1u);
}

// More messages than may wait for one that does not get through: the newest say most.
TEST(GrpcPeers, WhereTooManyWaitTheOldestAreDropped) {
  Listener listener;
  auto peers = Dialer(listener.port());
  peers->Send(BranchId(1), ReadProbe{Term(3), 1});
  ASSERT_TRUE(listener.recorder.AwaitMessages(1));
  listener.recorder.Hold();
  peers->Send(BranchId(1), ReadProbe{Term(3), 2});
  EXPECT_TRUE(listener.recorder.AwaitHeldUp());
  peers->Send(BranchId(1), LargeMessage());
  constexpr uint64_t kNewest = MessageLink::kQueuedMax + 100;
  for (uint64_t round = 3; round <= kNewest; ++round) {
    peers->Send(BranchId(1), ReadProbe{Term(3), round});
  }
  listener.recorder.Release();
  uint64_t round = 0;
  for (const absl::Time end = absl::Now() + kPatience; round != kNewest && absl::Now() < end;) {
    const Message last = listener.recorder.messages().back().second;
    if (const auto* probe = std::get_if<ReadProbe>(&last)) round = probe->round;
    absl::SleepFor(absl::Milliseconds(1));
  }
  EXPECT_EQ(round, kNewest);
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

// Takes snapshots, and requests it does not even read, and never says a word about them.
class SilentBranch final : public v1::Cluster::CallbackService {
 public:
  SilentBranch() {
    grpc::ServerBuilder builder;
    EXPECT_TRUE(net::AddListener(builder, "127.0.0.1:0", {}, &port_).ok());
    builder.RegisterService(this);
    server_ = builder.BuildAndStart();
  }
  ~SilentBranch() override { Stop(); }
  // Breaks all streams.
  void Stop() {
    server_->Shutdown(std::chrono::system_clock::now());
    server_->Wait();
  }
  int port() const { return port_; }

  grpc::ServerBidiReactor<v1::PeerMessage, v1::MessagesReply>* Messages(
      grpc::CallbackServerContext*) override {
    ++messages_;
    return new Silence<grpc::ServerBidiReactor<v1::PeerMessage, v1::MessagesReply>>;
  }
  grpc::ServerBidiReactor<v1::ForwardRequest, v1::ForwardReply>* Forward(
      grpc::CallbackServerContext*) override {
    ++requests_;
    return new Silence<grpc::ServerBidiReactor<v1::ForwardRequest, v1::ForwardReply>>;
  }
  grpc::ServerReadReactor<v1::SnapshotPiece>* InstallSnapshot(grpc::CallbackServerContext*,
                                                              v1::InstallSnapshotReply*) override {
    ++snapshots_;
    return new Silence<grpc::ServerReadReactor<v1::SnapshotPiece>>;
  }
  // Streams of each kind that have begun.
  int messages() const { return messages_; }
  int requests() const { return requests_; }
  int snapshots() const { return snapshots_; }

 private:
  template <class Reactor>
  class Silence final : public Reactor {
    void OnCancel() override { this->Finish(grpc::Status::CANCELLED); }
    void OnDone() override { delete this; }
  };

  int port_ = 0;
  std::unique_ptr<grpc::Server> server_;
  std::atomic<int> messages_ = 0;
  std::atomic<int> requests_ = 0;
  std::atomic<int> snapshots_ = 0;
};

TEST(GrpcPeers, ASnapshotThatHangsIsSentAgain) {
  SilentBranch silent;
  auto peers = Dialer(silent.port());
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
}

// The receiver drops what belongs to an older stream of messages: it must not hold up the rest.
TEST(GrpcPeers, ASnapshotOfAnOlderConnectionIsGivenUp) {
  SilentBranch silent;
  const auto channel =
      net::MakeChannel("127.0.0.1:" + std::to_string(silent.port()), {}, net::ChannelKind::kPeer);
  ASSERT_TRUE(channel.ok());
  SteadyClock clock;
  ConnectionNumbers numbers;
  WaitGroup wait_group;
  LinkContext context{kBank,    BranchId(2), BranchId(1), &clock, v1::Cluster::NewStub(*channel),
                      &numbers, &wait_group};
  SnapshotSender sender(context);
  InstallSnapshot install;
  install.snapshot = {LogIndex(100), Term(3), LogIndex(50), "conf",
                      std::make_shared<const std::string>("state")};
  const auto await = [&](int count) {
    const absl::Time end = absl::Now() + kPatience;
    while (silent.snapshots() < count && absl::Now() < end) absl::SleepFor(absl::Milliseconds(1));
    return silent.snapshots();
  };
  sender.Send(install, 1);  // what it has sent is getting on, seen for the first time
  EXPECT_EQ(await(1), 1);
  sender.Send(install, 2);
  EXPECT_EQ(await(2), 2);
  sender.Shutdown();
  wait_group.AwaitNone();
}

// One snapshot as a branch sends it, piece by piece; returns what the receiver says.
grpc::Status SendSnapshot(int port, uint64_t size_told, const std::vector<std::string>& pieces) {
  const auto channel =
      net::MakeChannel("127.0.0.1:" + std::to_string(port), {}, net::ChannelKind::kPeer);
  EXPECT_TRUE(channel.ok());
  const auto stub = v1::Cluster::NewStub(*channel);
  grpc::ClientContext call;
  call.set_wait_for_ready(true);
  v1::InstallSnapshotReply reply;
  const auto writer = stub->InstallSnapshot(&call, &reply);
  v1::SnapshotPiece piece;
  InstallSnapshot install;
  install.snapshot = {LogIndex(100), Term(3), LogIndex(50), "conf",
                      std::make_shared<const std::string>("state")};
  *piece.mutable_head() = ToWire(install);
  *piece.mutable_head()->mutable_hello() = MakeHello(kBank, BranchId(2), BranchId(1), 1);
  piece.mutable_head()->set_size_bytes(size_told);
  for (const std::string& bytes : pieces) {
    piece.set_bytes(bytes);
    if (!writer->Write(piece)) break;
    piece.clear_head();
  }
  writer->WritesDone();
  return writer->Finish();
}

// Both are refused before they are gathered in memory.
TEST(GrpcPeers, SnapshotsAreNoLongerThanTheyMayBe) {
  Listener listener;
  const grpc::Status too_large = SendSnapshot(listener.port(), (8ull << 30) + 1, {"sta"});
  EXPECT_EQ(too_large.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(too_large.error_message(), "the snapshot is too large");
  const grpc::Status longer = SendSnapshot(listener.port(), 5, {"sta", "tes"});
  EXPECT_EQ(longer.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(longer.error_message(), "the snapshot is longer than its head says");
  EXPECT_TRUE(listener.recorder.messages().empty());
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

// Another process that introduces itself as the same branch ends the living one's stream. That one
// is heard again, and what the other one sends over its older stream is not.
TEST(GrpcPeers, AProcessThatAnotherHasFollowedIsHeardAgain) {
  Listener listener;
  auto wait_group = Dialer(listener.port());
  wait_group->Send(BranchId(1), ReadProbe{Term(3), 1});
  ASSERT_TRUE(listener.recorder.AwaitMessages(1));
  const auto heard = [&](uint64_t round) {
    for (const auto& [from, message] : listener.recorder.messages()) {
      if (std::get<ReadProbe>(message).round == round) return true;
    }
    return false;
  };
  for (uint64_t again = 10; again <= 30; again += 10) {
    auto other = Dialer(listener.port());
    other->Send(BranchId(1), ReadProbe{Term(3), again});
    const absl::Time end = absl::Now() + kPatience;
    while (!heard(again) && absl::Now() < end) absl::SleepFor(absl::Milliseconds(1));
    ASSERT_TRUE(heard(again));
    while (!heard(again + 1) && absl::Now() < end) {
      wait_group->Send(BranchId(1), ReadProbe{Term(3), again + 1});
      absl::SleepFor(absl::Milliseconds(10));
    }
    ASSERT_TRUE(heard(again + 1));
  }
}

// What waits behind a write that does not get through has been called not applied when the stream
// breaks: the next stream must not bring it.
TEST(GrpcPeers, WhatWasNotWrittenBeforeABreakNeverIs) {
  SilentBranch silent;
  auto peers = Dialer(silent.port());
  Answer large, waiting;
  peers->Forward(BranchId(1), {std::string(kLargeBytes, 'x'), 1, false, 1000}, large.Callback());
  peers->Forward(BranchId(1), {"waiting", 1, false, 1000}, waiting.Callback());
  peers->Send(BranchId(1), LargeMessage());
  peers->Send(BranchId(1), ReadProbe{Term(3), 1});
  for (const absl::Time end = absl::Now() + kPatience;
       (silent.requests() == 0 || silent.messages() == 0) && absl::Now() < end;) {
    absl::SleepFor(absl::Milliseconds(1));
  }
  silent.Stop();
  EXPECT_EQ(large.Await().fate, Fate::kUnknown);
  EXPECT_EQ(waiting.Await().fate, Fate::kNotApplied);

  Listener listener(silent.port());
  ASSERT_TRUE(listener.started());
  std::deque<Answer> later;
  for (uint64_t round = 2; round < 2000; ++round) {
    peers->Send(BranchId(1), ReadProbe{Term(3), round});
    if (listener.recorder.AwaitMessages(1, absl::Milliseconds(10))) break;
  }
  ASSERT_TRUE(listener.recorder.AwaitMessages(1));
  const Message first = listener.recorder.messages()[0].second;
  ASSERT_TRUE(std::holds_alternative<ReadProbe>(first));
  EXPECT_GT(std::get<ReadProbe>(first).round, 1u);
  for (int attempt = 0; attempt < 2000 && !listener.recorder.HasRequest(); ++attempt) {
    peers->Forward(BranchId(1), {"later", 1, false, 1000}, later.emplace_back().Callback());
    absl::SleepFor(absl::Milliseconds(10));
  }
  EXPECT_EQ(listener.recorder.NextRequest().first.batch, "later");
  peers->Shutdown();
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
