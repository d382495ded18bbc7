// A bank of several drivers in one thread: message queues in order, a clock that the test moves, a
// disk per branch whose completions the test can hold back, crashes and restarts.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "branch/ledger/command.h"
#include "branch/replication/driver/driver.h"
#include "branch/replication/engine/configuration.h"
#include "common/check.h"

namespace bank::replication {

// What survives a crash of one branch.
struct FakeDisk {
  storage::HardState hard_state;
  std::optional<storage::Snapshot> snapshot;
  LogIndex first{1};
  std::deque<storage::Entry> entries;
  bool rebuilding = false;
  Term vote_floor;

  LogIndex last() const { return LogIndex(first.value + entries.size() - 1); }

  storage::Recovered Recover() const {
    storage::Recovered recovered;
    recovered.hard_state = hard_state;
    recovered.snapshot = snapshot;
    recovered.first_index = first;
    recovered.entries.assign(entries.begin(), entries.end());
    recovered.rebuilding = rebuilding;
    recovered.vote_floor = vote_floor;
    return recovered;
  }
};

class BankOf;

class FakeBranch final : public DriverPorts {
 public:
  FakeBranch(BankOf& bank, DriverOptions options) : bank_(bank), options_(std::move(options)) {
    Found();
  }

  // The disk of a new branch.
  void Found() {
    const storage::Recovered founding = Driver::Bootstrap(options_);
    disk = FakeDisk{};
    disk.hard_state = founding.hard_state;
    disk.entries.assign(founding.entries.begin(), founding.entries.end());
  }

  void Start(int64_t now_ms) {
    BANK_CHECK(driver == nullptr);
    driver = std::make_unique<Driver>(options_, *this);
    const absl::Status status = driver->Start(now_ms, disk.Recover());
    BANK_CHECK(status.ok()) << status.message();
  }
  // Loses everything the disk has not done.
  void Crash() {
    driver.reset();
    queue_.clear();
    draft_.reset();
    prepared_.reset();
  }

  void Send(BranchId to, Message message) override;
  void WriteHardState(const storage::HardState& state) override { disk.hard_state = state; }
  void WriteRebuilding() override { disk.rebuilding = true; }
  void QueueAppend(LogIndex first, std::vector<storage::Entry> entries) override {
    appended_sizes.push_back(entries.size());
    queue_.push_back([this, first, entries = std::move(entries)](int64_t now_ms) {
      while (!disk.entries.empty() && disk.last() >= first) disk.entries.pop_back();
      if (disk.entries.empty()) disk.first = first;
      BANK_CHECK(disk.last().Next() == first);
      for (const storage::Entry& entry : entries) disk.entries.push_back(entry);
      driver->OnAppended(now_ms, first, entries);
    });
  }
  void QueuePrepareSnapshot(SnapshotDraft draft) override {
    BANK_CHECK(!draft_.has_value());
    draft_ = std::move(draft);
  }
  void QueueSaveSnapshot(LogIndex index) override {
    queue_.push_back([this, index](int64_t now_ms) {
      BANK_CHECK(disk.last() >= index);
      BANK_CHECK(prepared_.has_value() && prepared_->index == index) << index.value;
      disk.snapshot = std::exchange(prepared_, std::nullopt);
      driver->OnSnapshotSaved(now_ms, index);
    });
  }
  void QueueInstallSnapshot(storage::Snapshot snapshot) override {
    queue_.push_back([this, snapshot = std::move(snapshot)](int64_t now_ms) {
      disk.snapshot = snapshot;
      disk.entries.clear();
      disk.first = snapshot.index.Next();
      driver->OnSnapshotInstalled(now_ms, snapshot.index);
    });
  }
  void QueueTrimPrefix(LogIndex first) override {
    queue_.push_back([this, first](int64_t) {
      while (!disk.entries.empty() && disk.first < first) {
        disk.entries.pop_front();
        disk.first = disk.first.Next();
      }
    });
  }
  void QueueFinishRebuild(Term vote_floor) override {
    queue_.push_back([this, vote_floor](int64_t) {
      disk.rebuilding = false;
      disk.vote_floor = vote_floor;
    });
  }
  void BeginApply() override {
    EXPECT_FALSE(applying);
    applying = true;
  }
  void EndApply() override {
    EXPECT_TRUE(applying);
    applying = false;
  }
  void OnRefused(BranchId, const char* reason) override { refused.push_back(reason); }
  void OnRemoved(bool removed, BranchId witness) override {
    removals.emplace_back(removed, witness.value);
  }
  void Fatal(const std::string& reason) override { fatal = reason; }

  const DriverOptions& options() const { return options_; }

  // Both: true if there was something to do.
  bool RunWriter(int64_t now_ms) {
    if (driver == nullptr || writer_held || !draft_.has_value()) return false;
    prepared_ = std::exchange(draft_, std::nullopt)->Encode();
    driver->OnSnapshotPrepared(now_ms, *prepared_);
    return true;
  }
  bool RunDisk(int64_t now_ms) {
    if (driver == nullptr || disk_held || queue_.empty()) return false;
    auto work = std::move(queue_.front());
    queue_.pop_front();
    work(now_ms);
    return true;
  }

  FakeDisk disk;
  bool disk_held = false;
  bool writer_held = false;
  bool applying = false;
  std::string fatal;
  std::vector<std::string> refused;                 // reasons
  std::vector<std::pair<bool, uint64_t>> removals;  // of this branch, or back, and the witnesses
  std::vector<size_t> appended_sizes;
  std::unique_ptr<Driver> driver;  // null while down

 private:
  BankOf& bank_;
  const DriverOptions options_;
  std::deque<absl::AnyInvocable<void(int64_t)>> queue_;
  std::optional<SnapshotDraft> draft_;
  std::optional<storage::Snapshot> prepared_;
};

class BankOf {
 public:
  explicit BankOf(int branches, DriverOptions options = {}, int voters = 5) {
    for (int i = 1; i <= branches; ++i) {
      options.initial_members.push_back(
          {BranchId(i), Address(static_cast<uint64_t>(i)), i <= voters});
    }
    for (int i = 1; i <= branches; ++i) {
      options.self = BranchId(i);
      options.seed = 1000 + i;
      branches_.emplace(i, std::make_unique<FakeBranch>(*this, options));
    }
    for (auto& [id, branch] : branches_) branch->Start(now_ms);
    options_ = options;
  }

  // Starts a branch that no initial member knows, with an empty folder.
  void Join(uint64_t id) {
    DriverOptions options = options_;
    options.self = BranchId(id);
    options.seed = 1000 + id;
    const auto [at, is_new] = branches_.emplace(id, std::make_unique<FakeBranch>(*this, options));
    BANK_CHECK(is_new);
    at->second->disk = FakeDisk{};
    at->second->Start(now_ms);
  }
  std::optional<ChangeResult> Change(uint64_t leader, uint64_t id, MemberTarget target,
                                     int64_t timeout_ms = 20'000) {
    std::optional<ChangeResult> result;
    BeginChange(leader, id, target, &result, timeout_ms);
    AdvanceUntil([&] { return result.has_value(); }, timeout_ms + 1);
    return result;
  }
  void BeginChange(uint64_t leader, uint64_t id, MemberTarget target,
                   std::optional<ChangeResult>* result, int64_t timeout_ms = 20'000) {
    const bool initial_member = FindMember(options_.initial_members, BranchId(id)) != nullptr;
    driver(leader).ChangeMember(now_ms, {BranchId(id), target, initial_member ? "" : Address(id)},
                                now_ms + timeout_ms,
                                [result](ChangeResult r) { *result = std::move(r); });
  }
  static std::string Address(uint64_t id) { return "127.0.0.1:" + std::to_string(50050 + id); }

  FakeBranch& operator[](uint64_t id) { return *branches_.at(id); }
  Driver& driver(uint64_t id) { return *branches_.at(id)->driver; }

  Driver* driver_or_null(uint64_t id) { return branches_.at(id)->driver.get(); }

  void Post(BranchId from, BranchId to, Message message) {
    if (const auto* challenge = std::get_if<Challenge>(&message)) {
      nonces[{from.value, to.value}] = challenge->nonce;
    }
    if (const auto* result = std::get_if<AppendEntriesResult>(&message)) {
      lives[from.value] = result->life;
    }
    if (!cut.contains({from.value, to.value}) && (!drop || !drop(from, to, message))) {
      network_[{from.value, to.value}].push_back(std::move(message));
    }
  }

  // Delivers and writes until nothing moves.
  void Run() {
    for (bool moved = true; moved;) {
      moved = false;
      for (auto& [id, branch] : branches_) {
        moved |= branch->RunWriter(now_ms);
        moved |= branch->RunDisk(now_ms);
      }
      for (auto& [link, queue] : network_) {
        if (queue.empty()) continue;
        moved = true;
        Message message = std::move(queue.front());
        queue.pop_front();
        const auto to = branches_.find(link.second);
        if (to != branches_.end() && to->second->driver != nullptr &&
            !asleep.contains(link.second)) {
          to->second->driver->OnMessage(now_ms, BranchId(link.first), std::move(message));
        }
      }
    }
  }
  void Advance(int64_t ms) {
    for (const int64_t end = now_ms + ms; now_ms < end;) {
      ++now_ms;
      for (auto& [id, branch] : branches_) {
        if (branch->driver != nullptr && !asleep.contains(id) &&
            branch->driver->NextDeadlineMs() <= now_ms) {
          branch->driver->OnTimer(now_ms);
        }
      }
      Run();
    }
  }
  template <class Condition>
  bool AdvanceUntil(Condition condition, int64_t ms = 20'000) {
    Run();
    for (const int64_t end = now_ms + ms; !condition();) {
      if (now_ms >= end) return false;
      Advance(1);
    }
    return true;
  }

  // The leader of the highest term, 0 if there is none.
  uint64_t leader() {
    uint64_t best = 0;
    Term term;
    for (auto& [id, branch] : branches_) {
      if (branch->driver == nullptr) continue;
      const ReplicatorStatus status = branch->driver->GetStatus();
      if (status.role == Role::kLeader && status.term > term) {
        best = id;
        term = status.term;
      }
    }
    return best;
  }
  uint64_t Elect() {
    BANK_CHECK(AdvanceUntil([&] {
      const uint64_t id = leader();
      return id != 0 && driver(id).GetStatus().commit_index == driver(id).GetStatus().last_index;
    }));
    return leader();
  }
  void Transfer(uint64_t from, uint64_t to, std::optional<absl::Status>* over) {
    driver(from).TransferLeadership(now_ms, BranchId(to),
                                    [over](absl::Status status) { *over = std::move(status); });
  }
  // Brings the leadership to `id` by silencing the others' elections.
  void ElectThis(uint64_t id) {
    BANK_CHECK(AdvanceUntil([&] {
      if (leader() != 0 && leader() != id) {
        driver(leader()).TransferLeadership(now_ms, BranchId(id), [](const absl::Status&) {});
      }
      return leader() == id &&
             driver(id).GetStatus().commit_index == driver(id).GetStatus().last_index;
    }));
  }

  // Opens a session for the test's writes, and the shared account.
  void Open(uint64_t id, int64_t amount) {
    session_ = SessionId(Await(id, {.kind = ledger::Kind::kOpenSession}).position.value);
    const ledger::Outcome opened = Await(
        id,
        Keyed({.kind = ledger::Kind::kOpen, .account = ledger::kSharedAccount, .amount = amount}));
    BANK_CHECK(opened.code == ledger::Code::kOk) << ledger::CodeName(opened.code);
  }
  ledger::Outcome Await(uint64_t id, const ledger::Command& command) {
    std::optional<ProposeResult> result;
    Propose(id, command, &result);
    BANK_CHECK(AdvanceUntil([&] { return result.has_value(); }));
    BANK_CHECK(result->fate == Fate::kApplied) << result->reason;
    return result->outcomes.at(0);
  }
  void Propose(uint64_t id, const ledger::Command& command, std::optional<ProposeResult>* result,
               int64_t timeout_ms = 5'000) {
    std::string batch;
    ledger::AppendCommand(command, &batch);
    driver(id).Propose(now_ms, std::move(batch), 1, now_ms + timeout_ms,
                       [result](ProposeResult r) { *result = std::move(r); });
  }
  ledger::Command Keyed(ledger::Command command) {
    command.session = session_;
    command.sequence = ++sequence_;
    return command;
  }
  void Deposit(uint64_t id, int64_t amount, std::optional<ProposeResult>* result,
               int64_t timeout_ms = 5'000) {
    Propose(
        id,
        Keyed(
            {.kind = ledger::Kind::kDeposit, .account = ledger::kSharedAccount, .amount = amount}),
        result, timeout_ms);
  }
  int64_t Balance(uint64_t id) { return driver(id).ledger().Query(ledger::kSharedAccount).balance; }
  void Isolate(uint64_t id) {
    for (auto& [other, branch] : branches_) {
      cut.insert({id, other});
      cut.insert({other, id});
      network_[{id, other}].clear();
      network_[{other, id}].clear();
    }
  }
  void Heal() { cut.clear(); }
  void Crash(uint64_t id) {
    branches_.at(id)->Crash();
    for (auto& [link, queue] : network_) {
      if (link.first == id || link.second == id) queue.clear();
    }
  }

  // Starts a branch again whose data folder was damaged and set aside.
  void StartRebuilding(uint64_t id) {
    if (driver_or_null(id) != nullptr) Crash(id);
    FakeBranch& branch = *branches_.at(id);
    branch.disk = FakeDisk{};
    branch.disk.rebuilding = true;
    branch.Start(now_ms);
  }
  // Starts a branch again whose data folder is gone: as a new one.
  void Wipe(uint64_t id) {
    if (driver_or_null(id) != nullptr) Crash(id);
    FakeBranch& branch = *branches_.at(id);
    branch.Found();
    branch.Start(now_ms);
  }
  // Some branch of three that is not `leader`.
  static uint64_t Other(uint64_t leader) { return leader % 3 + 1; }

  int64_t now_ms = 1000;
  std::set<std::pair<uint64_t, uint64_t>> cut;
  // Of the newest challenge, by who asks and who is asked.
  std::map<std::pair<uint64_t, uint64_t>, uint64_t> nonces;
  std::map<uint64_t, uint64_t> lives;  // as in what each acknowledged last
  std::set<uint64_t> asleep;  // stopped: no timer fires, and what is sent to them gets lost
  // True loses the message.
  std::function<bool(BranchId from, BranchId to, const Message&)> drop;

 private:
  DriverOptions options_;
  std::map<uint64_t, std::unique_ptr<FakeBranch>> branches_;
  SessionId session_;
  uint64_t sequence_ = 0;
  std::map<std::pair<uint64_t, uint64_t>, std::deque<Message>> network_;
};

// What became of an operator's change.
inline void ExpectDone(const std::optional<ChangeResult>& changed) {
  ASSERT_TRUE(changed.has_value());
  EXPECT_EQ(changed->fate, ChangeFate::kDone) << changed->reason;
}

inline void ExpectRefused(const std::optional<ChangeResult>& changed, const std::string& reason) {
  ASSERT_TRUE(changed.has_value());
  EXPECT_EQ(changed->fate, ChangeFate::kRefused);
  EXPECT_NE(changed->reason.find(reason), std::string::npos) << changed->reason;
}

// Whoever reads a message may act on the promise in it: by then it must be on the disk.
inline void ExpectPromised(const storage::HardState& saved, BranchId to, const Message& message) {
  std::visit(
      [&](const auto& m) {
        if constexpr (requires { m.pre_vote; }) {
          if (m.pre_vote) return;  // promises nothing
        }
        if constexpr (requires { m.term; }) {
          EXPECT_LE(m.term, saved.term);
        }
        if constexpr (requires { m.vote_granted; }) {
          if (m.vote_granted && m.term == saved.term) {
            EXPECT_EQ(saved.vote, to);
          }
        }
        if constexpr (requires { m.candidate; }) {
          EXPECT_EQ(saved.vote, m.candidate);
        }
      },
      message);
}

inline void FakeBranch::Send(BranchId to, Message message) {
  ExpectPromised(disk.hard_state, to, message);
  bank_.Post(options_.self, to, std::move(message));
}

// Snapshots after few entries, so that a test reaches several.
inline DriverOptions SmallSnapshots() {
  DriverOptions options;
  options.snapshot_every_entries = 20;
  options.inflight_entries_max = 8;
  options.trailing_entries = 10;
  return options;
}

// Each is applied before the next, without time passing.
inline void Deposits(BankOf& bank, uint64_t leader, uint64_t n) {
  for (uint64_t i = 0; i < n; ++i) {
    std::optional<ProposeResult> result;
    bank.Deposit(leader, 1, &result);
    bank.Run();
    ASSERT_TRUE(result.has_value());
    ASSERT_EQ(result->fate, Fate::kApplied) << result->reason;
  }
}

}  // namespace bank::replication
