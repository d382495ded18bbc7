// Goal: one id, one run, one record, whoever asks, however often, before and after a restart.
#include "branch/remote_command/runner.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <condition_variable>
#include <mutex>
#include <set>
#include <thread>

#include "tests/support/sim_file_system.h"

namespace bank::remote_command {
namespace {

using telemetry::AuditRecord;
using telemetry::CommandOutcome;
using testing::HasSubstr;

// Keeps what it hears; waits for an end.
class Heard final : public Listener {
 public:
  void OnStarted(const std::string&, int64_t) override {
    std::lock_guard lock(mutex_);
    started_ = true;
    changed_.notify_all();
  }
  void OnOutput(const std::string&, std::string_view bytes) override {
    std::lock_guard lock(mutex_);
    output_ += bytes;
  }
  void OnEnded(const std::string&, const Ended& ended) override {
    std::lock_guard lock(mutex_);
    ends_.push_back(ended);
    changed_.notify_all();
  }
  Ended AwaitEnd(size_t count = 1) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return ends_.size() >= count; });
    return ends_.back();
  }
  void AwaitStart() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return started_; });
  }
  std::string output() {
    std::lock_guard lock(mutex_);
    return output_;
  }
  size_t ends() {
    std::lock_guard lock(mutex_);
    return ends_.size();
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool started_ = false;
  std::string output_;
  std::vector<Ended> ends_;
};

class RunnerTest : public testing::Test {
 protected:
  RunnerTest() { Restart(); }

  void Restart() {
    runner_ = nullptr;
    std::vector<std::string> notes;
    log_ = std::make_unique<CommandLog>(files_, "/data/commands", CommandLogOptions(), &notes);
    runner_ = std::make_unique<Runner>(
        Runner::Options{.agent = "branch-1",
                        .execute = [this](const Command& c, Execution& e) { return Execute(c, e); },
                        .unix_now_ns = [this] { return ++now_; },
                        .audit =
                            [this](const AuditRecord& record) {
                              std::lock_guard lock(mutex_);
                              audits_.push_back(record);
                            }},
        *log_, clock_);
  }

  // top-accounts N prints N bytes; verify-digest runs until cancelled or out of time; the rest is
  // done at once.
  Answer Execute(const Command& command, Execution& execution) {
    ++runs_;
    if (const auto* top = std::get_if<TopAccounts>(&command)) {
      for (uint32_t i = 0; i < top->limit; ++i) execution.Write(std::string(100, 'x'));
      return {CommandOutcome::kDone, 0, "printed"};
    }
    if (std::holds_alternative<VerifyDigest>(command)) {
      const absl::Status status = execution.Await([](Execution::Done) {});
      return {absl::IsCancelled(status) ? CommandOutcome::kCancelled : CommandOutcome::kTimedOut, 1,
              "ended"};
    }
    return {CommandOutcome::kDone, 0, "ok"};
  }

  static Order OrderOf(const std::string& id, Command command, int64_t deadline_ms = 10'000) {
    return {.id = id,
            .issuer = "alice",
            .command = std::move(command),
            .deadline_ms = deadline_ms,
            .issued_unix_ns = 1};
  }
  std::shared_ptr<Heard> Submit(const Order& order) {
    auto heard = std::make_shared<Heard>();
    runner_->Submit(order, heard);
    return heard;
  }
  std::vector<AuditRecord> audits() {
    std::lock_guard lock(mutex_);
    return audits_;
  }

  SteadyClock clock_;
  sim::SimFileSystem files_{1};
  std::atomic<int64_t> now_{1000};
  std::atomic<int> runs_{0};
  std::mutex mutex_;
  std::vector<AuditRecord> audits_;
  std::unique_ptr<CommandLog> log_;
  std::unique_ptr<Runner> runner_;
};

TEST_F(RunnerTest, ACommandRunsAndLeavesARecord) {
  auto heard = Submit(OrderOf("a", TopAccounts{3}));
  const Ended ended = heard->AwaitEnd();
  EXPECT_EQ(ended.outcome, CommandOutcome::kDone);
  EXPECT_FALSE(ended.repeated);
  EXPECT_FALSE(ended.truncated);
  EXPECT_EQ(heard->output().size(), 300u);
  const auto records = audits();
  ASSERT_EQ(records.size(), 2u);
  EXPECT_EQ(records[0].ended_unix_ns, 0);
  EXPECT_EQ(records[1].issuer, "alice");
  EXPECT_EQ(records[1].command, "top-accounts 3");
  EXPECT_EQ(records[1].outcome, CommandOutcome::kDone);
  EXPECT_GT(records[1].ended_unix_ns, records[1].started_unix_ns);
}

TEST_F(RunnerTest, WhoAsksIsRecordedInOneLineOfText) {
  std::string euros;
  while (euros.size() < 1'000) euros += "\xe2\x82\xac";
  for (const size_t before : {0, 1, 2}) {  // wherever the cut falls
    Order order = OrderOf(std::to_string(before), TopAccounts{3});
    order.issuer = std::string(before, 'x') + euros;
    Submit(order)->AwaitEnd();
    const std::string issuer = audits().back().issuer;
    EXPECT_LE(issuer.size(), kIssuerBytesMax);
    EXPECT_EQ((issuer.size() - before) % 3, 0u) << "not within a character: " << issuer;
  }
  Order order = OrderOf("lines", TopAccounts{3});
  order.issuer = "alice\nbranch-1: done\x1b[2J";
  Submit(order)->AwaitEnd();
  EXPECT_EQ(audits().back().issuer, "alice\\x0abranch-1: done\\x1b[2J");
}

TEST_F(RunnerTest, ARepeatedIdIsAnsweredWithTheFirst) {
  Submit(OrderOf("a", TopAccounts{3}))->AwaitEnd();
  auto again = Submit(OrderOf("a", TopAccounts{3}));
  EXPECT_TRUE(again->AwaitEnd().repeated);
  EXPECT_EQ(again->output().size(), 300u);
  EXPECT_EQ(runs_, 1);
  Restart();
  auto later = Submit(OrderOf("a", TopAccounts{3}));
  const Ended ended = later->AwaitEnd();
  EXPECT_EQ(ended.outcome, CommandOutcome::kDone);
  EXPECT_EQ(ended.message, "printed");
  EXPECT_TRUE(ended.repeated);
  EXPECT_EQ(runs_, 1);
}

TEST_F(RunnerTest, WhoAsksWhileItRunsHearsTheSameEnd) {
  auto first = Submit(OrderOf("a", VerifyDigest{}));
  first->AwaitStart();
  auto second = Submit(OrderOf("a", VerifyDigest{}));
  EXPECT_EQ(runner_->Running(), std::vector<std::string>{"a"});
  EXPECT_TRUE(runner_->Cancel("a", "bob"));
  EXPECT_EQ(first->AwaitEnd().outcome, CommandOutcome::kCancelled);
  EXPECT_EQ(second->AwaitEnd().message, "cancelled by bob");
  EXPECT_LE(runs_, 1);  // it may have been cancelled before its thread came to it
  EXPECT_FALSE(runner_->Cancel("a", "bob"));
  EXPECT_FALSE(runner_->Cancel("b", "bob"));
}

TEST_F(RunnerTest, WhoAsksTwiceIsToldItsEndOnce) {
  auto heard = std::make_shared<Heard>();
  runner_->Submit(OrderOf("a", VerifyDigest{}), heard);
  heard->AwaitStart();
  runner_->Submit(OrderOf("a", VerifyDigest{}), heard);
  runner_->Stop();
  EXPECT_EQ(heard->ends(), 1u);
}

TEST_F(RunnerTest, BegunBeforeARestartIsUnknownForEver) {
  AuditRecord record;
  record.id = "a";
  record.agent = "branch-1";
  record.command = "take-snapshot";
  record.started_unix_ns = 5;
  ASSERT_TRUE(log_->Begin(record).ok());
  Restart();
  for (int i = 0; i < 2; ++i) {
    const Ended ended = Submit(OrderOf("a", TakeSnapshot{}))->AwaitEnd();
    EXPECT_EQ(ended.outcome, CommandOutcome::kUnknown);
    EXPECT_TRUE(ended.repeated);
    EXPECT_THAT(ended.message, HasSubstr("not run again"));
  }
  EXPECT_EQ(runs_, 0);
}

TEST_F(RunnerTest, OneIdIsOneCommand) {
  Submit(OrderOf("a", TakeSnapshot{}))->AwaitEnd();
  const Ended now = Submit(OrderOf("a", TopAccounts{1}))->AwaitEnd();
  EXPECT_EQ(now.outcome, CommandOutcome::kRefused);
  EXPECT_EQ(now.message, "the id a belongs to another command: take-snapshot");
  Restart();
  EXPECT_EQ(Submit(OrderOf("a", TopAccounts{1}))->AwaitEnd().outcome, CommandOutcome::kRefused);
  runner_->Stop();
  EXPECT_EQ(runs_, 1);
  EXPECT_EQ(audits().back().id, "a#2");
  EXPECT_EQ(audits().back().outcome, CommandOutcome::kRefused);
}

TEST_F(RunnerTest, NonsenseIsRefusedAndRecorded) {
  EXPECT_EQ(Submit(OrderOf("a", HostDiagnostic{"sh"}))->AwaitEnd().outcome,
            CommandOutcome::kRefused);
  EXPECT_EQ(Submit(OrderOf("; id", TakeSnapshot{}))->AwaitEnd().outcome, CommandOutcome::kRefused);
  EXPECT_EQ(Submit(OrderOf("b", TakeSnapshot{}, 600'001))->AwaitEnd().outcome,
            CommandOutcome::kRefused);
  runner_->Stop();
  EXPECT_EQ(runs_, 0);
  std::set<std::string> recorded;  // by several threads, in any order
  for (const AuditRecord& record : audits()) recorded.insert(record.id + " " + record.command);
  EXPECT_THAT(recorded,
              testing::ElementsAre("\"; id\"#1 take-snapshot", "a#1 sh", "b#1 take-snapshot"));
  Restart();
  EXPECT_EQ(Submit(OrderOf("a", TakeSnapshot{}))->AwaitEnd().outcome, CommandOutcome::kDone)
      << "a refusal does not take the id";
}

TEST_F(RunnerTest, OutputBeyondTheCapIsDroppedAndMarked) {
  auto heard = Submit(OrderOf("a", TopAccounts{1000}));
  EXPECT_TRUE(heard->AwaitEnd().truncated);
  EXPECT_EQ(heard->output().size(), kOutputBytesMax);
}

TEST_F(RunnerTest, ADeadlineEndsIt) {
  const Ended ended = Submit(OrderOf("a", VerifyDigest{}, 50))->AwaitEnd();
  EXPECT_EQ(ended.outcome, CommandOutcome::kTimedOut);
}

// One that had to wait too long for a thread is not begun any more.
TEST_F(RunnerTest, ADeadlineThatPassesBeforeItRunsIsItsEnd) {
  std::vector<std::shared_ptr<Heard>> busy;
  for (size_t i = 0; i < Runner::kThreadsMax; ++i) {
    busy.push_back(Submit(OrderOf("busy-" + std::to_string(i), VerifyDigest{}, 600'000)));
    busy.back()->AwaitStart();
  }
  const int64_t deadline_ns = clock_.NowNs() + 10'000'000;
  auto late = Submit(OrderOf("late", TakeSnapshot{}, 5));
  while (clock_.NowNs() < deadline_ns) std::this_thread::yield();
  EXPECT_TRUE(runner_->Cancel("busy-0", "bob"));
  const Ended ended = late->AwaitEnd();
  EXPECT_EQ(ended.outcome, CommandOutcome::kTimedOut);
  EXPECT_THAT(ended.message, HasSubstr("before it could be run"));
  runner_->Stop();
}

TEST_F(RunnerTest, NothingRunsThatCannotBeRecorded) {
  files_.FailNext(sim::DiskCall::kSync, absl::DataLossError("the disk is broken"));
  const Ended ended = Submit(OrderOf("a", TakeSnapshot{}))->AwaitEnd();
  EXPECT_EQ(ended.outcome, CommandOutcome::kRefused);
  EXPECT_THAT(ended.message, HasSubstr("cannot be recorded"));
  EXPECT_EQ(runs_, 0);
}

TEST_F(RunnerTest, HangingCommandsFillItAndTheRestIsRefused) {
  std::vector<std::shared_ptr<Heard>> all;
  const size_t count = Runner::kThreadsMax + Runner::kQueuedMax;
  for (size_t i = 0; i < Runner::kThreadsMax; ++i) {
    all.push_back(Submit(OrderOf("run-" + std::to_string(i), VerifyDigest{}, 600'000)));
    all.back()->AwaitStart();
  }
  for (size_t i = 0; i < Runner::kQueuedMax; ++i) {
    all.push_back(Submit(OrderOf("wait-" + std::to_string(i), VerifyDigest{}, 600'000)));
  }
  EXPECT_THAT(Submit(OrderOf("more", TakeSnapshot{}))->AwaitEnd().message, HasSubstr("too many"));
  runner_->Stop();
  for (auto& heard : all) {
    EXPECT_EQ(heard->AwaitEnd().outcome, CommandOutcome::kCancelled);
  }
  EXPECT_EQ(all.size(), count);
  EXPECT_LE(runs_, static_cast<int>(Runner::kThreadsMax));
}

TEST_F(RunnerTest, OldOutputsAreForgottenButNotTheirEnds) {
  for (size_t i = 0; i <= Runner::kFinishedMax; ++i) {
    Submit(OrderOf("id-" + std::to_string(i), TopAccounts{1}))->AwaitEnd();
  }
  auto oldest = Submit(OrderOf("id-0", TopAccounts{1}));
  EXPECT_TRUE(oldest->AwaitEnd().repeated);
  EXPECT_EQ(oldest->output(), "");
  EXPECT_EQ(runs_, static_cast<int>(Runner::kFinishedMax) + 1);
}

}  // namespace
}  // namespace bank::remote_command
