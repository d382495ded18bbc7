// Goal: the driver's thread and disk keep what was acknowledged, gather while they work, and say
// nothing after the disk failed.
// Method: a bank of one branch: on real files in a folder of the test's own, and on a disk in
// memory that fails on demand.
#include "branch/replication/runtime/replica.h"

#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <future>
#include <memory>

#include "absl/synchronization/notification.h"
#include "branch/ledger/command.h"
#include "branch/replication/runtime/raft_replicator.h"
#include "branch/storage/posix_file_system.h"
#include "tests/support/memory_storage.h"
#include "tests/support/temp_folder.h"

namespace bank::replication {
namespace {

constexpr int64_t kLongNs = 20'000'000'000;

class NoPeers final : public Peers {
 public:
  void Send(BranchId to, Message message) override {
    ++sent;
    if (on_challenge) {
      if (const auto* challenge = std::get_if<Challenge>(&message)) on_challenge(to, *challenge);
    }
  }
  void Forward(BranchId, ForwardRequest, ForwardCallback done) override {
    done({Fate::kNotApplied, {}, "there is nobody else", {}, {}});
  }
  std::atomic<int> sent{0};
  std::function<void(BranchId asked, const Challenge&)> on_challenge;  // set before the start
};

RaftOptions OneBranch() {
  RaftOptions options;
  options.driver.self = BranchId(1);
  options.driver.initial_members = {{BranchId(1), "127.0.0.1:1", true}};
  options.driver.election_timeout_ms = 50;
  options.driver.heartbeat_ms = 10;
  return options;
}

// Elects nobody while a test lasts.
RaftOptions OneOfThree() {
  RaftOptions options = OneBranch();
  options.driver.initial_members.push_back({BranchId(2), "127.0.0.1:2", true});
  options.driver.initial_members.push_back({BranchId(3), "127.0.0.1:3", true});
  options.driver.election_timeout_ms = 600'000;
  return options;
}

std::string Open(std::string_view account, int64_t amount) {
  std::string batch;
  ledger::AppendCommand({.kind = ledger::Kind::kOpen, .account = account, .amount = amount},
                        &batch);
  return batch;
}

ProposeResult ProposeAndWait(Replicator& replicator, std::string batch, int64_t timeout_ns) {
  absl::Notification answered;
  ProposeResult answer;
  replicator.Propose(std::move(batch), 1, SteadyClock().NowNs() + timeout_ns,
                     [&](ProposeResult result) {
                       answer = std::move(result);
                       answered.Notify();
                     });
  answered.WaitForNotification();
  return answer;
}

class ReplicaInMemory : public testing::Test {
 protected:
  // A branch that has taken part up to term 2.
  void Found(const RaftOptions& options) {
    ASSERT_TRUE(storage.Append(LogIndex(1), Driver::Bootstrap(options.driver).entries).ok());
    ASSERT_TRUE(storage.Sync().ok());
    ASSERT_TRUE(storage.WriteHardState({Term(2), BranchId(0)}).ok());
  }

  // Starts one of three that has; `gave_up` tells when it gives up.
  void StartFounded() {
    const RaftOptions options = OneOfThree();
    Found(options);
    founded.emplace(options, storage, clock, nobody,
                    [this](const absl::Status&) { gave_up.Notify(); });
    ASSERT_TRUE(founded->Start(disk.Recover()).ok());
  }

  storage::MemoryDisk disk;
  storage::MemoryStorage storage{disk};
  SteadyClock clock;
  NoPeers nobody;
  absl::Notification gave_up;
  std::optional<RaftReplicator> founded;
};

TEST(Replica, WhatWasAcknowledgedIsThereAfterARestart) {
  const TempFolder folder;
  storage::PosixFileSystem files;
  SteadyClock clock;
  NoPeers nobody;
  storage::StorageOptions storage_options;
  storage_options.segment_bytes = 1 << 20;
  for (int life = 1; life <= 3; ++life) {
    auto opened = storage::OpenStorage(files, folder.Of("data"), {7, BranchId(1)}, storage_options,
                                       storage::OnDamage::kRefuse);
    ASSERT_TRUE(opened.ok()) << opened.status();
    RaftReplicator replicator(OneBranch(), *opened->storage, clock, nobody,
                              [](const absl::Status& status) { FAIL() << status; });
    ASSERT_TRUE(replicator.Start(std::move(opened->recovered)).ok());
    for (int n = 0; n < 20; ++n) {
      const std::string account = "a" + std::to_string(life) + "." + std::to_string(n);
      const ProposeResult result = ProposeAndWait(replicator, Open(account, n), kLongNs);
      ASSERT_EQ(result.fate, Fate::kApplied) << result.reason;
    }
    if (life == 2) {
      std::promise<absl::Status> taken;
      replicator.TakeSnapshot(clock.NowNs() + kLongNs,
                              [&](absl::Status status) { taken.set_value(std::move(status)); });
      EXPECT_TRUE(taken.get_future().get().ok());
      EXPECT_EQ(replicator.GetStatus().snapshot_index, replicator.GetStatus().applied_index);
    }
    for (int past = 1; past <= life; ++past) {
      EXPECT_EQ(replicator.Query("a" + std::to_string(past) + ".19").balance, 19);
    }
    replicator.Stop();
    EXPECT_EQ(replicator.Query("a1.5").balance, 5) << "reading goes on";
  }
}

TEST_F(ReplicaInMemory, ManyProposalsShareEntriesAndSyncs) {
  RaftReplicator replicator(OneBranch(), storage, clock, nobody,
                            [](const absl::Status& status) { FAIL() << status; });
  ASSERT_TRUE(replicator.Start(disk.Recover()).ok());
  // While the disk is busy with the first, no entry commits: all others come into the few entries
  // that may be open, and what does not fit follows together.
  ASSERT_EQ(ProposeAndWait(replicator, Open("first", 1), kLongNs).fate, Fate::kApplied);
  const uint64_t appends = disk.appends(), syncs = disk.syncs();
  constexpr int kCount = 2000;
  std::atomic<int> applied{0};
  absl::Notification all;
  disk.Hold(true);
  for (int n = 0; n < kCount; ++n) {
    if (n == 1) disk.AwaitHeldSync();
    replicator.Propose(Open("a" + std::to_string(n), n), 1, clock.NowNs() + kLongNs,
                       [&](ProposeResult result) {
                         EXPECT_EQ(result.fate, Fate::kApplied) << result.reason;
                         if (applied.fetch_add(1) + 1 == kCount) all.Notify();
                       });
  }
  disk.Hold(false);
  all.WaitForNotification();
  constexpr uint64_t kFew = 16;
  EXPECT_LE(disk.appends() - appends, kFew);
  EXPECT_LE(disk.syncs() - syncs, kFew);
  replicator.Stop();
}

TEST_F(ReplicaInMemory, NothingIsAcknowledgedAfterTheDiskFailed) {
  std::atomic<int> fatal{0};
  absl::Notification failed;
  RaftReplicator replicator(OneBranch(), storage, clock, nobody, [&](const absl::Status&) {
    if (fatal.fetch_add(1) == 0) failed.Notify();
  });
  ASSERT_TRUE(replicator.Start(disk.Recover()).ok());
  ASSERT_EQ(ProposeAndWait(replicator, Open("before", 1), kLongNs).fate, Fate::kApplied);
  disk.FailFromNowOn(true);
  absl::Notification answered;
  Fate fate = Fate::kApplied;
  replicator.Propose(Open("after", 1), 1, clock.NowNs() + kLongNs, [&](ProposeResult result) {
    fate = result.fate;
    answered.Notify();
  });
  failed.WaitForNotification();
  EXPECT_FALSE(answered.HasBeenNotified());
  replicator.Stop();
  answered.WaitForNotification();
  EXPECT_EQ(fate, Fate::kUnknown);
  EXPECT_EQ(fatal.load(), 1);
}

TEST_F(ReplicaInMemory, AFoundingThatWasCutShortIsDoneAgain) {
  for (const bool fails : {true, false}) {
    disk.FailSyncs(fails);
    RaftReplicator replicator(OneOfThree(), storage, clock, nobody,
                              [](const absl::Status& status) { FAIL() << status; });
    EXPECT_EQ(replicator.Start(disk.Recover()).ok(), !fails);
    EXPECT_EQ(disk.Recover().hard_state.term, Term(fails ? 0 : 1));
  }
}

// As a initial member it would vote, and it does not know what it has forgotten.
TEST_F(ReplicaInMemory, ABranchThatIsToBeRebuiltIsNotFoundedAnew) {
  ASSERT_TRUE(storage.BeginRebuild().ok());
  RaftReplicator replicator(OneOfThree(), storage, clock, nobody,
                            [](const absl::Status& status) { FAIL() << status; });
  ASSERT_TRUE(replicator.Start(disk.Recover()).ok());
  EXPECT_EQ(replicator.GetStatus().role, Role::kLearner);
  EXPECT_FALSE(replicator.GetStatus().bootstrapping);
  EXPECT_EQ(disk.appends(), 0u);
}

TEST_F(ReplicaInMemory, AFolderThatLostWhatWasAcknowledgedIsMarkedWhenTheLeaderConfirmsIt) {
  nobody.on_challenge = [this](BranchId asked, const Challenge& challenge) {
    EXPECT_FALSE(disk.lost());
    founded->OnMessage(
        asked,
        ChallengeResult{.term = Term(2), .nonce = challenge.nonce, .acknowledged = LogIndex(5)});
  };
  StartFounded();
  founded->OnMessage(BranchId(2), AppendEntries{.version = 1,
                                                .term = Term(2),
                                                .prev_log_index = LogIndex(5),
                                                .prev_log_term = Term(2),
                                                .leader_commit = LogIndex(5),
                                                .entries = {}});
  founded->OnMessage(BranchId(2), LogBehindAcknowledged{Term(2), LogIndex(5)});
  gave_up.WaitForNotification();
  EXPECT_TRUE(disk.lost());
}

TEST_F(ReplicaInMemory, AVoteThatCannotBeSavedIsNotGiven) {
  StartFounded();
  disk.FailFromNowOn(true);
  founded->OnMessage(BranchId(2), RequestVote{.version = 2,
                                              .term = Term(3),
                                              .candidate = BranchId(2),
                                              .last_log_index = LogIndex(5),
                                              .last_log_term = Term(2),
                                              .disrupt_leader = true});
  EXPECT_TRUE(gave_up.WaitForNotificationWithTimeout(absl::Seconds(20)));
  founded->Stop();
  EXPECT_EQ(nobody.sent.load(), 0);
}

TEST_F(ReplicaInMemory, APingTellsWhetherTheThreadComesRound) {
  RaftReplicator replicator(OneBranch(), storage, clock, nobody,
                            [](const absl::Status& status) { FAIL() << status; });
  ASSERT_TRUE(replicator.Start(disk.Recover()).ok());
  absl::Notification held;
  absl::Notification release;
  absl::Notification answered;
  replicator.Ping(clock.NowNs() + kLongNs, [&](const absl::Status& status) {
    EXPECT_TRUE(status.ok()) << status;
    held.Notify();
    release.WaitForNotification();
  });
  held.WaitForNotification();
  replicator.Ping(clock.NowNs() + kLongNs, [&](const absl::Status&) { answered.Notify(); });
  EXPECT_FALSE(answered.HasBeenNotified());
  release.Notify();
  answered.WaitForNotification();
}

TEST_F(ReplicaInMemory, StopAnswersWhoeverWaits) {
  RaftOptions options = OneBranch();
  // Another initial member that never comes: no leader, ever.
  options.driver.initial_members.push_back({BranchId(2), "127.0.0.1:2", true});
  RaftReplicator replicator(options, storage, clock, nobody,
                            [](const absl::Status& status) { FAIL() << status; });
  ASSERT_TRUE(replicator.Start(disk.Recover()).ok());
  std::vector<absl::Status> reads;
  std::vector<Fate> fates;
  replicator.Propose(Open("a", 1), 1, clock.NowNs() + kLongNs,
                     [&](ProposeResult result) { fates.push_back(result.fate); });
  replicator.ReadBarrier(clock.NowNs() + kLongNs, [&](absl::Status s) { reads.push_back(s); });
  replicator.WaitApplied(Position(1), clock.NowNs() + kLongNs,
                         [&](absl::Status s) { reads.push_back(s); });
  replicator.Stop();
  EXPECT_EQ(fates, std::vector<Fate>{Fate::kNotApplied});
  ASSERT_EQ(reads.size(), 2u);
  for (const absl::Status& status : reads) EXPECT_TRUE(absl::IsUnavailable(status)) << status;
  replicator.ReadBarrier(clock.NowNs() + kLongNs, [&](absl::Status s) { reads.push_back(s); });
  replicator.WaitApplied(Position(1), clock.NowNs() + kLongNs,
                         [&](absl::Status s) { reads.push_back(s); });
  EXPECT_EQ(reads.size(), 4u);
}

}  // namespace
}  // namespace bank::replication
