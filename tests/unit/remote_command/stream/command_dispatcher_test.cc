// Goal: a command goes to an agent, its end comes back to whoever asked, and no broken stream, new
// incarnation or change of leadership runs it twice.
// Method: agents and callers are plain objects of the test; the task queue and the log are real.
#include "branch/remote_command/stream/command_dispatcher.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/synchronization/notification.h"
#include "tests/support/sim_file_system.h"

namespace bank::remote_command {
namespace {

using testing::HasSubstr;

// Leaves when it ends, as a call does, and ends when it is not to take any more.
class Line final : public AgentLine {
 public:
  void Send(v1::CommandRequest request) override {
    if (full) return End({grpc::StatusCode::RESOURCE_EXHAUSTED, "it does not read"});
    sent.push_back(std::move(request));
  }
  void End(const grpc::Status& status) override {
    ended = status;
    if (leader != nullptr) leader->Leave(this);
  }

  CommandDispatcher* leader = nullptr;  // joined
  bool full = false;
  std::vector<v1::CommandRequest> sent;
  std::optional<grpc::Status> ended;
};

class Caller final : public CommandWatcher {
 public:
  void OnUpdate(v1::CommandUpdate update) override {
    if (update.has_output()) output += update.output().text();
    if (update.has_result()) results.push_back(update.result());
  }
  void OnDone(const grpc::Status& status) override { done = status; }

  std::string output;
  std::vector<v1::CommandResult> results;
  std::optional<grpc::Status> done;
};

class Leader : public testing::Test {
 protected:
  Leader() {
    std::vector<std::string> notes;
    log_ = std::make_unique<CommandLog>(files_, "/commands", CommandLogOptions(), &notes);
    leader_ = std::make_unique<CommandDispatcher>(
        CommandDispatcher::Options{
            .branches =
                [] {
                  return std::vector<std::string>{"branch-1", "branch-2"};
                },
            .unix_now_ns = [] { return 1000; },
            .background =
                [this](const std::function<void()>& work) {
                  if (!is_disk_slow_) return work();
                  waiting_.push_back(work);
                },
            .audit = [this](const telemetry::AuditRecord& record) { audits_.push_back(record); },
            .find_record = [this](const std::string& id,
                                  const std::string&) -> std::optional<telemetry::AuditRecord> {
              if (elsewhere_ && elsewhere_->id == id) return elsewhere_;
              return std::nullopt;
            }},
        *log_, task_queue_);
    On([this] {
      leader_->SetLeading(true);
      for (Line* line : {&one_, &two_}) {
        const bool first = line == &one_;
        EXPECT_TRUE(Join(first ? "branch-1" : "branch-2", true, line).ok());
      }
    });
  }
  ~Leader() override { task_queue_.Stop(); }

  // Runs it on the task queue, and everything that it posts in turn.
  void On(const std::function<void()>& task) {
    for (const auto& step : {task, std::function<void()>([] {}), std::function<void()>([] {})}) {
      absl::Notification done;
      task_queue_.Post([&] {
        step();
        done.Notify();
      });
      done.WaitForNotification();
    }
  }
  grpc::Status Join(const std::string& name, bool own, Line* line, uint64_t incarnation = 1) {
    v1::Agent agent;
    agent.set_agent(name);
    agent.set_incarnation(incarnation);
    const grpc::Status joined = leader_->Join(agent, own, line);
    if (joined.ok()) line->leader = leader_.get();
    return joined;
  }
  std::shared_ptr<Caller> Run(const std::string& id, const std::vector<std::string>& agents,
                              uint32_t limit = 5, int64_t deadline_ms = 10'000) {
    v1::RunCommandRequest request;
    request.set_id(id);
    request.set_issuer("alice");
    request.set_deadline_ms(deadline_ms);
    request.mutable_agent()->Assign(agents.begin(), agents.end());
    request.mutable_command()->mutable_top_accounts()->set_limit(limit);
    auto caller = std::make_shared<Caller>();
    On([&] { leader_->Run(request, caller); });
    return caller;
  }
  void Answer(Line* line, const std::string& id, const std::string& output, bool end) {
    On([&] {
      v1::CommandResponse response;
      response.set_id(id);
      response.mutable_started()->set_time_unix_nanos(7);
      leader_->OnResponse(line, response);
      response.mutable_output()->set_text(output);
      leader_->OnResponse(line, response);
      if (!end) return;
      response.mutable_result()->set_outcome(v1::CommandResult::DONE);
      leader_->OnResponse(line, response);
    });
  }

  SteadyClock clock_;
  net::TaskQueue task_queue_{clock_};
  sim::SimFileSystem files_{1};
  bool is_disk_slow_ = false;
  std::vector<std::function<void()>> waiting_;  // for the slow disk; the task queue's
  std::optional<telemetry::AuditRecord> elsewhere_;
  std::vector<telemetry::AuditRecord> audits_;
  std::unique_ptr<CommandLog> log_;
  std::unique_ptr<CommandDispatcher> leader_;
  Line one_, two_, foreign_;
};

TEST_F(Leader, AllMeansEveryBranchThatIsConnected) {
  On([this] { EXPECT_TRUE(Join("py", false, &foreign_).ok()); });
  auto caller = Run("a", {});
  ASSERT_EQ(one_.sent.size(), 1u);
  ASSERT_EQ(two_.sent.size(), 1u);
  EXPECT_TRUE(foreign_.sent.empty());
  EXPECT_EQ(one_.sent[0].issuer(), "alice");
  Answer(&one_, "a", "x", true);
  EXPECT_FALSE(caller->done);
  Answer(&two_, "a", "y", true);
  ASSERT_TRUE(caller->done);
  EXPECT_TRUE(caller->done->ok());
  EXPECT_EQ(caller->output, "xy");
}

TEST_F(Leader, ABranchThatComesBackIsAskedAgainAndTellsNothingTwice) {
  auto caller = Run("a", {"branch-2"});
  Answer(&two_, "a", "hel", false);
  Line again;
  On([&] {
    leader_->Leave(&two_);
    EXPECT_TRUE(Join("branch-2", true, &again, 2).ok());
  });
  ASSERT_EQ(again.sent.size(), 1u);
  // By itself, because it has connected again; and because it was asked again.
  Answer(&again, "a", "hel", false);
  Answer(&again, "a", "hello", true);
  EXPECT_EQ(caller->output, "hello");
  ASSERT_EQ(caller->results.size(), 1u);
  EXPECT_TRUE(caller->done->ok());
  On([&] { leader_->Leave(&again); });
}

TEST_F(Leader, AForeignAgentIsSentACommandOnceForEver) {
  On([this] { EXPECT_TRUE(Join("py", false, &foreign_).ok()); });
  auto caller = Run("a", {"py"});
  ASSERT_EQ(foreign_.sent.size(), 1u);
  EXPECT_TRUE(log_->Find("a", "py")) << "before it is sent";
  Line again;
  On([&] {
    leader_->Leave(&foreign_);
    EXPECT_TRUE(Join("py", false, &again).ok());
  });
  EXPECT_TRUE(again.sent.empty());
  Answer(&again, "a", "done", true);
  ASSERT_EQ(caller->results.size(), 1u);
  auto repeated = Run("a", {"py"});
  ASSERT_EQ(repeated->results.size(), 1u);
  EXPECT_TRUE(repeated->results[0].repeated());
  EXPECT_EQ(repeated->output, "done");
  auto other = Run("a", {"py"}, 6);
  EXPECT_EQ(other->results.at(0).outcome(), v1::CommandResult::REFUSED);
  // A new reign forgets its dispatches, the log does not.
  On([&] {
    leader_->SetLeading(false);
    leader_->SetLeading(true);
    EXPECT_TRUE(Join("py", false, &again).ok());
  });
  auto later = Run("a", {"py"});
  EXPECT_TRUE(again.sent.empty());
  EXPECT_EQ(later->results.at(0).outcome(), v1::CommandResult::DONE);
  ASSERT_FALSE(audits_.empty());
  EXPECT_EQ(audits_.back().outcome, telemetry::CommandOutcome::kDone);
}

TEST_F(Leader, WhatAnotherMasterSentIsNotSentAgain) {
  elsewhere_ = telemetry::AuditRecord{};
  elsewhere_->id = "a";
  elsewhere_->command = "top-accounts 5";
  On([this] { EXPECT_TRUE(Join("py", false, &foreign_).ok()); });
  auto caller = Run("a", {"py"});
  EXPECT_TRUE(foreign_.sent.empty());
  Answer(&foreign_, "a", "late", true);
  EXPECT_EQ(caller->results.at(0).outcome(), v1::CommandResult::DONE);
}

// An id is one command for ever, whoever leads.
TEST_F(Leader, AnotherCommandUnderAnIdOfAnEarlierReignIsRefused) {
  elsewhere_ = telemetry::AuditRecord{};
  elsewhere_->id = "a";
  elsewhere_->command = "top-accounts 6";
  elsewhere_->ended_unix_ns = 9;
  elsewhere_->outcome = telemetry::CommandOutcome::kDone;
  On([this] { EXPECT_TRUE(Join("py", false, &foreign_).ok()); });
  auto caller = Run("a", {"py"});
  EXPECT_TRUE(foreign_.sent.empty());
  ASSERT_EQ(caller->results.size(), 1u);
  EXPECT_EQ(caller->results[0].outcome(), v1::CommandResult::REFUSED);
  EXPECT_THAT(caller->results[0].message(), HasSubstr("belongs to another command"));
}

// Nothing is known of what has not been sent yet, whatever the agent says of it.
TEST_F(Leader, AnAgentCannotAnswerWhatItWasNotSent) {
  On([this] {
    EXPECT_TRUE(Join("py", false, &foreign_).ok());
    is_disk_slow_ = true;
  });
  auto caller = Run("a", {"py"});
  EXPECT_TRUE(foreign_.sent.empty());
  Answer(&foreign_, "a", "forged", true);
  EXPECT_TRUE(caller->results.empty());
  EXPECT_EQ(caller->output, "");
  EXPECT_TRUE(audits_.empty());
  On([this] {
    is_disk_slow_ = false;
    for (const auto& work : waiting_) work();
  });
  ASSERT_EQ(foreign_.sent.size(), 1u);
  ASSERT_EQ(audits_.size(), 1u) << "its begin is told to all";
  EXPECT_EQ(audits_[0].ended_unix_ns, 0);
  Answer(&foreign_, "a", "true", true);
  EXPECT_EQ(caller->output, "true");
  EXPECT_EQ(caller->results.size(), 1u);
}

// What it tells again after it has come back is passed over, in pieces of any size.
TEST_F(Leader, OutputThatIsKnownIsNotToldAgain) {
  auto caller = Run("a", {"branch-2"});
  Answer(&two_, "a", "hello", false);
  Line again;
  On([&] {
    leader_->Leave(&two_);
    EXPECT_TRUE(Join("branch-2", true, &again, 2).ok());
  });
  const auto say = [&](const std::string& text) {
    On([&] {
      v1::CommandResponse response;
      response.set_id("a");
      response.mutable_output()->set_text(text);
      leader_->OnResponse(&again, response);
    });
  };
  for (const char* piece : {"he", "l", "lo w", "orld"}) say(piece);
  EXPECT_EQ(caller->output, "hello world");
  On([&] { leader_->Leave(&again); });
}

TEST_F(Leader, NamesAreProtected) {
  On([&] {
    Line line;
    EXPECT_EQ(Join("branch-2", false, &line).error_code(), grpc::StatusCode::INVALID_ARGUMENT);
    EXPECT_EQ(Join("py", true, &line).error_code(), grpc::StatusCode::INVALID_ARGUMENT);
    EXPECT_EQ(Join("; id", false, &line).error_code(), grpc::StatusCode::INVALID_ARGUMENT);
    EXPECT_EQ(Join("branch-2", true, &line, 0).error_code(), grpc::StatusCode::FAILED_PRECONDITION);
    EXPECT_FALSE(two_.ended);
    EXPECT_TRUE(Join("branch-2", true, &line, 2).ok());
    ASSERT_TRUE(two_.ended);
    EXPECT_EQ(two_.ended->error_code(), grpc::StatusCode::ABORTED);
    leader_->Leave(&line);
  });
}

TEST_F(Leader, WhoConnectsAgainIsTheOneThatIsAsked) {
  auto waiting = Run("a", {"branch-2"});
  Line again, older;
  On([&] {
    EXPECT_TRUE(Join("branch-2", true, &again, 2).ok());
    EXPECT_EQ(Join("branch-2", true, &older, 1).error_code(),
              grpc::StatusCode::FAILED_PRECONDITION);
  });
  ASSERT_TRUE(two_.ended);
  ASSERT_EQ(again.sent.size(), 1u) << "what the earlier stream has not answered";
  Answer(&again, "a", "x", true);
  EXPECT_EQ(waiting->output, "x");
  auto next = Run("b", {"branch-2"});
  EXPECT_EQ(again.sent.size(), 2u);
  On([&] { leader_->Leave(&again); });
}

TEST_F(Leader, AnAgentThatTakesNoMoreLeavesWhileItsCommandIsCancelled) {
  auto caller = Run("a", {});
  Answer(&one_, "a", "", false);
  Answer(&two_, "a", "", false);
  one_.full = two_.full = true;
  On([this] { EXPECT_EQ(leader_->Cancel("a", "bob"), 2u); });
  EXPECT_TRUE(one_.ended);
  EXPECT_TRUE(two_.ended);
}

TEST_F(Leader, AnUnknownNameIsNotFoundAndAMissingBranchIsNotConnected) {
  EXPECT_EQ(Run("a", {"nobody"})->done->error_code(), grpc::StatusCode::NOT_FOUND);
  EXPECT_EQ(Run("a", {"branch-9"})->done->error_code(), grpc::StatusCode::NOT_FOUND);
  On([this] { leader_->Leave(&two_); });
  auto caller = Run("a", {"branch-2"});
  const int64_t give_up_ns = clock_.NowNs() + 10 * CommandDispatcher::kConnectNs;
  bool done = false;
  while (!done && clock_.NowNs() < give_up_ns) On([&] { done = caller->done.has_value(); });
  ASSERT_TRUE(caller->done);
  EXPECT_EQ(caller->done->error_code(), grpc::StatusCode::FAILED_PRECONDITION);
  EXPECT_THAT(caller->done->error_message(), HasSubstr("branch-2 is not connected"));
}

TEST_F(Leader, WhoLeadsNoLongerSaysSoToAll) {
  auto caller = Run("a", {"branch-1"});
  On([this] { leader_->SetLeading(false); });
  EXPECT_EQ(caller->done->error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(one_.ended->error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(Run("b", {"branch-1"})->done->error_code(), grpc::StatusCode::UNAVAILABLE);
}

TEST_F(Leader, CancellingGoesWhereItRuns) {
  auto caller = Run("a", {});
  Answer(&one_, "a", "", true);
  On([this] { EXPECT_EQ(leader_->Cancel("a", "bob"), 1u); });
  EXPECT_EQ(one_.sent.size(), 1u);
  ASSERT_EQ(two_.sent.size(), 2u);
  EXPECT_TRUE(two_.sent[1].has_cancel());
  EXPECT_EQ(two_.sent[1].issuer(), "bob");
  On([this] { EXPECT_EQ(leader_->Cancel("b", "bob"), 0u); });
}

TEST_F(Leader, AnAgentsAnswerIsCheckedAndItsFirstEndStays) {
  On([this] { EXPECT_TRUE(Join("py", false, &foreign_).ok()); });
  Answer(&foreign_, "a", "before it was asked", true);
  auto caller = Run("a", {"py"});
  EXPECT_FALSE(caller->done);
  EXPECT_EQ(caller->output, "");
  v1::CommandResponse end;
  end.set_id("a");
  end.mutable_result()->set_outcome(static_cast<v1::CommandResult::Outcome>(99));
  end.mutable_result()->set_message("one\n\x1b[2J" + std::string(100'000, 'x'));
  On([&] { leader_->OnResponse(&foreign_, end); });
  ASSERT_EQ(caller->results.size(), 1u);
  EXPECT_EQ(caller->results[0].outcome(), v1::CommandResult::UNKNOWN);
  EXPECT_THAT(caller->results[0].message(), testing::StartsWith("one\\x0a\\x1b[2Jxxx"));
  EXPECT_LE(caller->results[0].message().size(), 1'024u);

  auto second = Run("b", {"py"});
  Answer(&foreign_, "b", "done", true);
  const size_t audited = audits_.size();
  end.set_id("b");
  end.mutable_result()->set_outcome(v1::CommandResult::FAILED);
  On([&] { leader_->OnResponse(&foreign_, end); });
  EXPECT_EQ(audits_.size(), audited) << "what was recorded is not told anew";
  EXPECT_EQ(Run("b", {"py"})->results.at(0).outcome(), v1::CommandResult::DONE);
}

TEST_F(Leader, AnAgentsOutputIsCapped) {
  On([this] { EXPECT_TRUE(Join("py", false, &foreign_).ok()); });
  auto caller = Run("a", {"py"});
  for (int i = 0; i < 100; ++i) Answer(&foreign_, "a", std::string(1000, 'x'), i == 99);
  EXPECT_EQ(caller->output.size(), 65'536u);
  EXPECT_TRUE(caller->results.at(0).truncated());
}

}  // namespace
}  // namespace bank::remote_command
