// Goal: each verb asks whom it should, prints what was answered in the form that is asked for, and
// its exit code says what a script has to know.
// Method: real calls to branches whose answers the test puts in; what is printed is read back.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "bankctl/exec.h"
#include "common/exit_code.h"
#include "tests/support/fake_operated_branch.h"

namespace bank::bankctl {
namespace {

using bank::testing::FakeOperatedBranch;
using grpc::StatusCode;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;
using ::testing::StartsWith;

class Verbs : public ::testing::Test {
 protected:
  Verbs() {
    for (FakeOperatedBranch* branch : {&one_, &two_}) {
      const uint32_t id = branch->status.branch();
      branch->status.set_role(id == 1 ? "leader" : "follower");
      branch->status.set_term(7);
      branch->status.set_leader(1);
      branch->status.set_position(9);
      branch->status.set_applied_index(5);
      branch->status.set_state_digest("00000000000000aa");
      branch->status.set_history_digest("00000000000000bb");
      branch->AddMember(1, one_.address(), true);
      branch->AddMember(2, two_.address(), false);
      context_.targets.push_back({BranchId(id), branch->address()});
    }
    context_.timeout = std::chrono::milliseconds(10'000);
  }

  // Runs a verb; its stdout is in out_, its stderr in err_.
  template <class Verb>
  int Run(Form form, Verb verb) {
    context_.form = form;
    ::testing::internal::CaptureStdout();
    ::testing::internal::CaptureStderr();
    const int exit_code = verb(context_);
    out_ = ::testing::internal::GetCapturedStdout();
    err_ = ::testing::internal::GetCapturedStderr();
    return exit_code;
  }
  std::vector<Json> Lines() const {
    std::vector<Json> lines;
    std::istringstream in(out_);
    for (std::string line; std::getline(in, line);) lines.push_back(Json::parse(line));
    return lines;
  }
  // The second branch is down.
  void OnlyOne() {
    two_.Stop();
    context_.timeout = std::chrono::milliseconds(500);
  }

  FakeOperatedBranch one_{1};
  FakeOperatedBranch two_{2};
  Context context_;
  std::string out_, err_;
};

TEST_F(Verbs, StatusShowsEveryMemberThatOneNames) {
  context_.targets = {{BranchId(0), one_.address()}};
  EXPECT_EQ(Run(Form::kJson, ShowStatus), kExitOk);
  ASSERT_THAT(Lines(), SizeIs(2));
  EXPECT_EQ(Lines()[1],
            Json::parse(R"({"branch":2,"role":"follower","term":7,"leader":1,"ready":false,)"
                        R"("position":9,"commit_index":0,"applied_index":5,"last_index":0,)"
                        R"("snapshot_index":0,"accounts":0,"sessions":0,"balance_total":0,)"
                        R"("state":"00000000000000aa","history":"00000000000000bb",)"
                        R"("replicator":"","version":"","address":")" +
                        two_.address() + "\"}"));
  EXPECT_EQ(Run(Form::kTable, ShowStatus), kExitOk);
  EXPECT_THAT(out_, AllOf(StartsWith("BRANCH"), HasSubstr("POSITION"), HasSubstr("follower")));
}

TEST_F(Verbs, StatusOfABankWithADeadBranchIsUnavailable) {
  OnlyOne();
  EXPECT_EQ(Run(Form::kJson, ShowStatus), kExitUnavailable);
  ASSERT_THAT(Lines(), SizeIs(2));
  EXPECT_EQ(Lines()[0]["role"], "leader");
  EXPECT_EQ(Lines()[1]["branch"], 2);
  EXPECT_THAT(Lines()[1]["error"].get<std::string>(), Not(IsEmpty()));
  EXPECT_EQ(Run(Form::kTable, ShowStatus), kExitUnavailable);
  EXPECT_THAT(out_, HasSubstr("no answer"));
  EXPECT_THAT(err_, StartsWith("bankctl: " + two_.address() + ": "));
}

TEST_F(Verbs, MembersAreThoseOfTheFirstThatAnswers) {
  std::swap(context_.targets[0], context_.targets[1]);
  OnlyOne();
  EXPECT_EQ(Run(Form::kJson, ShowMembers), kExitOk);
  ASSERT_THAT(Lines(), SizeIs(2));
  EXPECT_EQ(Lines()[0], Json::parse(R"({"branch":1,"address":")" + one_.address() +
                                    R"(","voter":true,"leader":true})"));
  EXPECT_EQ(Lines()[1]["voter"], false);
  one_.Stop();
  EXPECT_EQ(Run(Form::kJson, ShowMembers), kExitUnavailable);
}

TEST_F(Verbs, HealthIsThatOfEveryService) {
  const char* services[] = {"", "bank.v1.Customer", "RPCServicer", "bank.v1.Admin",
                            "bank.v1.Monitor"};
  for (const char* service : services) {
    one_.SetServing(service, true);
    two_.SetServing(service, true);
  }
  EXPECT_EQ(Run(Form::kJson, ShowHealth), kExitOk);
  EXPECT_THAT(Lines(), SizeIs(10));
  two_.SetServing("RPCServicer", false);
  EXPECT_EQ(Run(Form::kJson, ShowHealth), kExitUnavailable);
  EXPECT_EQ(Lines()[7], Json::parse(R"({"address":")" + two_.address() +
                                    R"(","service":"RPCServicer","health":"not_serving"})"));
  two_.Stop();
  context_.timeout = std::chrono::milliseconds(500);
  EXPECT_EQ(Run(Form::kJson, ShowHealth), kExitUnavailable);
  EXPECT_EQ(Lines()[5]["health"], "no_answer");
}

TEST_F(Verbs, WaitReadyNamesWhoDoesNotServe) {
  one_.SetServing("bank.v1.Customer", true);
  two_.SetServing("bank.v1.Customer", true);
  EXPECT_EQ(Run(Form::kTable, WaitReady), kExitOk);
  two_.SetServing("bank.v1.Customer", false);
  context_.timeout = std::chrono::milliseconds(300);
  EXPECT_EQ(Run(Form::kTable, WaitReady), kExitUnavailable);
  EXPECT_EQ(err_, "bankctl: " + two_.address() + ": not ready yet\n");
}

TEST_F(Verbs, EachBranchTakesASnapshot) {
  one_.status.set_snapshot_index(44);
  two_.ends["TakeSnapshot"] = {StatusCode::FAILED_PRECONDITION, "nothing is applied yet"};
  EXPECT_EQ(Run(Form::kJson, TakeSnapshots), kExitUnavailable);
  EXPECT_EQ(Lines(), (std::vector<Json>{Json::parse(R"({"address":")" + one_.address() +
                                                    R"(","snapshot_index":44})")}));
  EXPECT_EQ(err_, "bankctl: " + two_.address() + ": nothing is applied yet\n");
}

TEST_F(Verbs, LeadershipIsHandedOverByWhoLeads) {
  const auto transfer = [](const Context& context) { return TransferLeadership(context, 2); };
  EXPECT_EQ(Run(Form::kJson, transfer), kExitOk);
  EXPECT_EQ(out_, "{\"from\":1,\"to\":2}\n");
  EXPECT_THAT(one_.Asked("TransferLeadership"), ElementsAre("branch: 2"));
  EXPECT_THAT(two_.Asked("TransferLeadership"), IsEmpty());
  one_.ends["TransferLeadership"] = {StatusCode::INVALID_ARGUMENT, "branch 2 does not vote"};
  EXPECT_EQ(Run(Form::kTable, transfer), kExitUsage);
  one_.status.set_role("follower");
  EXPECT_EQ(Run(Form::kTable, transfer), kExitUnavailable);
  EXPECT_EQ(err_, "bankctl: none of the branches that answered leads\n");
}

int Digests(const Context& context) { return CompareDigests(context, "-"); }

TEST_F(Verbs, DigestsAreHistoryLinesOfBranchesAtOneEntry) {
  two_.moves_after = 1;  // the first is behind when it is asked first
  one_.moves_after = 1;
  EXPECT_EQ(Run(Form::kJson, Digests), kExitOk);
  ASSERT_THAT(Lines(), SizeIs(2));
  EXPECT_EQ(Lines()[0],
            Json::parse(R"({"type":"digest","branch":1,"log_index":9,"applied_index":5,)"
                        R"("state":"00000000000000aa","history":"00000000000000bb",)"
                        R"("accounts":0,"balance_total":0})"));
  EXPECT_THAT(one_.Asked("MsgDelivery"), Not(IsEmpty())) << "a linearizable query comes first";
}

TEST_F(Verbs, DigestsThatDifferAtOneEntryAreInconsistent) {
  two_.status.set_state_digest("00000000000000ac");
  EXPECT_EQ(Run(Form::kJson, Digests), kExitInconsistent);
  EXPECT_THAT(err_, HasSubstr("differ at entry 5"));
  EXPECT_EQ(out_, "");
  two_.status.set_state_digest("00000000000000aa");
  two_.status.set_history_digest("00000000000000bc");
  EXPECT_EQ(Run(Form::kJson, Digests), kExitInconsistent);
}

TEST_F(Verbs, DigestsAtDifferentEntriesAreNotCompared) {
  two_.status.set_state_digest("00000000000000ac");
  two_.status.set_applied_index(6);
  EXPECT_EQ(Run(Form::kJson, Digests), kExitOk);
}

TEST_F(Verbs, DigestsOfABankWithADeadBranchAreUnavailable) {
  OnlyOne();
  EXPECT_EQ(Run(Form::kJson, Digests), kExitUnavailable);
  EXPECT_THAT(Lines(), SizeIs(1));
}

v1::MetricUpdate Samples(uint64_t sequence, bool lives) {
  v1::MetricUpdate update;
  auto* frame = update.add_frames();
  frame->mutable_agent()->set_agent("branch-1");
  frame->mutable_agent()->set_hostname("host, 1");
  frame->mutable_agent()->set_branch(1);
  frame->mutable_agent()->set_incarnation(17);
  frame->mutable_frame()->set_sequence(sequence);
  frame->mutable_frame()->set_time_unix_nanos(1'500'000'000);
  v1::Series* series = frame->mutable_frame()->add_define();
  series->set_id(3);
  series->set_metric("cpu");
  series->set_unit("%");
  (*series->mutable_attributes())["mode"] = "idle";
  frame->mutable_frame()->add_series(3);
  frame->mutable_frame()->add_value(12.5);
  frame->mutable_frame()->add_series(4);  // never defined
  frame->mutable_frame()->add_value(1);
  if (lives) {
    auto* life = update.add_frames();
    *life->mutable_agent() = frame->agent();
    life->mutable_life()->set_state(v1::MetricUpdate::Life::LIVE);
  }
  return update;
}

int Metrics(const Context& context) { return ShowMetrics(context, {}); }

TEST_F(Verbs, MetricsAreLinesInEachForm) {
  one_.updates = {Samples(2, true)};
  v1::Gap* gap = one_.updates[0].add_gaps();
  gap->set_agent("branch-1");
  gap->set_incarnation(17);
  gap->set_first_sequence(1);
  gap->set_last_sequence(1);
  gap->set_reason("lost");
  EXPECT_EQ(Run(Form::kJson, Metrics), kExitOk);
  ASSERT_THAT(Lines(), SizeIs(2));
  EXPECT_EQ(Lines()[0], Json::parse(R"({"gap":"lost","agent":"branch-1","incarnation":"17",)"
                                    R"("first_sequence":1,"last_sequence":1})"));
  EXPECT_EQ(Lines()[1], Json::parse(R"({"time":"1970-01-01T00:00:01.500Z",)"
                                    R"("time_unix_nanos":"1500000000","hostname":"host, 1",)"
                                    R"("branch":1,"agent":"branch-1","metric":"cpu",)"
                                    R"("attributes":{"mode":"idle"},"value":12.5,"unit":"%",)"
                                    R"("sequence":2,"incarnation":"17"})"));
  EXPECT_EQ(Run(Form::kCsv, Metrics), kExitOk);
  EXPECT_EQ(out_,
            "time,hostname,branch,agent,metric,attributes,value,unit,sequence,incarnation\n"
            "1970-01-01T00:00:01.500Z,\"host, 1\",1,branch-1,cpu,mode=idle,12.5,%,2,17\n");
  EXPECT_EQ(err_, "gap: branch-1 frames 1 to 1 (lost)\n");
  EXPECT_EQ(Run(Form::kTable, Metrics), kExitOk);
  EXPECT_THAT(out_, HasSubstr("branch-1  cpu     mode=idle   12.500  %"));
}

TEST_F(Verbs, MetricsGoOnAtTheNextBranchAfterWhatWasRead) {
  one_.updates = {Samples(2, false)};
  one_.ends["StreamMetrics"] = {StatusCode::UNAVAILABLE, "stopping"};
  two_.updates = {Samples(3, true)};
  EXPECT_EQ(Run(Form::kJson, Metrics), kExitOk);
  ASSERT_THAT(Lines(), SizeIs(2));
  EXPECT_EQ(Lines()[0]["sequence"], 2);
  EXPECT_EQ(Lines()[1]["sequence"], 3);
  EXPECT_THAT(two_.Asked("StreamMetrics"),
              ElementsAre("after { agent: \"branch-1\" incarnation: 17 sequence: 2 } "
                          "frames: true"));
}

v1::Event EventOf(uint64_t number) {
  v1::Event event;
  event.set_time_unix_nanos(1'500'000'000);
  event.set_agent("branch-1");
  event.set_incarnation(17);
  event.set_number(number);
  event.set_kind(v1::Event::ELECTION);
  event.set_text("branch-1 leads");
  return event;
}

int Events(const Context& context) { return ShowEvents(context, {.past = 5}); }

TEST_F(Verbs, EventsThatTwoBranchesTellAreShownOnce) {
  one_.events = {EventOf(1), EventOf(2)};
  one_.ends["StreamEvents"] = {StatusCode::UNAVAILABLE, "stopping"};
  two_.events = {EventOf(2), EventOf(3)};
  EXPECT_EQ(Run(Form::kJson, Events), kExitOk);
  ASSERT_THAT(Lines(), SizeIs(3));
  EXPECT_EQ(Lines()[2], Json::parse(R"({"time":"1970-01-01T00:00:01.500Z",)"
                                    R"("time_unix_nanos":"1500000000","agent":"branch-1",)"
                                    R"("kind":"election","text":"branch-1 leads","number":3,)"
                                    R"("incarnation":"17"})"));
  EXPECT_THAT(one_.Asked("StreamEvents"), ElementsAre("past: 5"));
  EXPECT_THAT(two_.Asked("StreamEvents"), ElementsAre("past: 1000"));
  EXPECT_EQ(Run(Form::kTable, Events), kExitOk);
  EXPECT_THAT(out_, HasSubstr("election  branch-1 leads\n"));
}

TEST_F(Verbs, AuditIsThatOfTheFirstThatAnswers) {
  one_.ends["ListAudit"] = {StatusCode::UNAVAILABLE, "stopping"};
  v1::AuditRecord record;
  record.set_id("x");
  record.set_agent("branch-1");
  record.set_issuer("alice");
  record.set_command("df");
  record.set_issued_unix_nanos(5);
  two_.audits = {record};
  record.set_ended_unix_nanos(7);
  record.set_outcome(v1::CommandResult::TIMED_OUT);
  record.set_exit_status(137);
  two_.audits.push_back(record);
  const auto audit = [](const Context& context) { return ShowAudit(context, 3); };
  EXPECT_EQ(Run(Form::kJson, audit), kExitOk);
  ASSERT_THAT(Lines(), SizeIs(2));
  EXPECT_EQ(Lines()[0]["outcome"], "running");
  EXPECT_EQ(Lines()[1], Json::parse(R"({"id":"x","agent":"branch-1","issuer":"alice",)"
                                    R"("command":"df","issued_unix_nanos":"5",)"
                                    R"("started_unix_nanos":"0","ended_unix_nanos":"7",)"
                                    R"("outcome":"timed_out","exit_status":137,"message":""})"));
  EXPECT_THAT(two_.Asked("ListAudit"), ElementsAre("limit: 3"));
  two_.ends["ListAudit"] = {StatusCode::UNAVAILABLE, "stopping"};
  EXPECT_EQ(Run(Form::kJson, audit), kExitUnavailable);
}

v1::CommandUpdate Output(const std::string& agent, const std::string& text) {
  v1::CommandUpdate update;
  update.set_agent(agent);
  update.mutable_output()->set_text(text);
  return update;
}
v1::CommandUpdate Result(const std::string& agent, v1::CommandResult::Outcome outcome,
                         const std::string& message = "") {
  v1::CommandUpdate update;
  update.set_agent(agent);
  update.mutable_result()->set_outcome(outcome);
  update.mutable_result()->set_message(message);
  return update;
}

class ExecVerb : public Verbs {
 protected:
  int Exec(Form form, std::vector<std::string> words, std::string id = "") {
    ExecOptions options;
    options.words = std::move(words);
    options.id = id;
    options.id_given = !id.empty();
    options.issuer = "alice";
    options.deadline_s = 1;
    return Run(form, [&](const Context& context) { return bankctl::Exec(context, options); });
  }
};

TEST_F(ExecVerb, PrintsOutputOnceAndAsksTheNextBranchWithTheSameId) {
  one_.command_updates = {Output("branch-2", "a\nb")};
  one_.ends["RunCommand"] = {StatusCode::UNAVAILABLE, "leads no longer"};
  two_.command_updates = {Output("branch-2", "a\nb\x1b[2Jc"),
                          Result("branch-2", v1::CommandResult::DONE, "well")};
  EXPECT_EQ(Exec(Form::kTable, {"2", "top-accounts", "5"}, "my-id"), kExitOk);
  EXPECT_EQ(out_, "a\nb\\x1b[2Jc\nbranch-2: well\n");
  ASSERT_THAT(two_.Asked("RunCommand"), SizeIs(1));
  EXPECT_EQ(one_.Asked("RunCommand"), two_.Asked("RunCommand"));
  EXPECT_EQ(two_.Asked("RunCommand")[0],
            "id: \"my-id\" issuer: \"alice\" agent: \"branch-2\" command { top_accounts { limit: 5 "
            "} } deadline_ms: 1000");
}

TEST_F(ExecVerb, JsonIsOneLineForEachAgent) {
  one_.command_updates = {Output("branch-1", "out\xff"),
                          Result("branch-1", v1::CommandResult::FAILED, "no")};
  one_.command_updates[1].mutable_result()->set_exit_status(2);
  one_.command_updates[1].mutable_result()->set_truncated(true);
  EXPECT_EQ(Exec(Form::kJson, {"leader", "df"}), kExitFailed);
  ASSERT_THAT(Lines(), SizeIs(1));
  Json line = Lines()[0];
  EXPECT_THAT(line["id"].get<std::string>(), StartsWith("ctl-"));
  line.erase("id");
  EXPECT_EQ(line, Json::parse(R"({"agent":"branch-1","command":"df","outcome":"failed",)"
                              R"("exit_status":2,"message":"no","truncated":true,)"
                              R"("repeated":false,"started_unix_nanos":"0",)"
                              R"("ended_unix_nanos":"0","output":"out)"
                              "\xef\xbf\xbd\"}"));
}

TEST_F(ExecVerb, TheWorstOfAllAgentsIsTheExitCode) {
  using Result_ = v1::CommandResult;
  struct Row {
    const char* command;
    Result_::Outcome one, two;
    int exit_code;
  };
  for (const Row& row :
       std::vector<Row>{{"df", Result_::DONE, Result_::DONE, kExitOk},
                        {"df", Result_::DONE, Result_::FAILED, kExitFailed},
                        {"df", Result_::CANCELLED, Result_::DONE, kExitFailed},
                        {"df", Result_::TIMED_OUT, Result_::DONE, kExitFailed},
                        {"df", Result_::FAILED, Result_::REFUSED, kExitDenied},
                        {"df", Result_::UNKNOWN, Result_::REFUSED, kExitUnknown},
                        {"verify-digest", Result_::DONE, Result_::FAILED, kExitInconsistent},
                        {"verify-digest", Result_::UNKNOWN, Result_::FAILED, kExitUnknown}}) {
    one_.command_updates = {Result("branch-1", row.one), Result("branch-2", row.two)};
    EXPECT_EQ(Exec(Form::kTable, {"all", row.command}), row.exit_code)
        << row.command << " " << Result_::Outcome_Name(row.one) << " "
        << Result_::Outcome_Name(row.two);
  }
}

TEST_F(ExecVerb, AllNamesTheBranchesThatAreNotConnected) {
  one_.command_updates = {Result("branch-1", v1::CommandResult::DONE)};
  EXPECT_EQ(Exec(Form::kTable, {"all", "df"}), kExitUnavailable);
  EXPECT_EQ(err_, "bankctl: branch-2: not connected; the command did not run there\n");
}

TEST_F(ExecVerb, WhatIsRefusedBeforeAnythingIsSent) {
  struct Row {
    std::vector<std::string> words;
    std::string id;
    const char* message;
  };
  for (const Row& row : std::vector<Row>{{{"all"}, "", "exec needs BRANCH"},
                                         {{"all", "reboot"}, "", "no command reboot"},
                                         {{"all", "df"}, "a b", "id"},
                                         {{"leader", "df"}, "my-id", "--id with 'leader'"},
                                         {{"1,leader", "df"}, "my-id", "--id with 'leader'"},
                                         {{"a/b", "df"}, "", "a/b"}}) {
    EXPECT_EQ(Exec(Form::kTable, row.words, row.id), kExitUsage) << row.message;
    EXPECT_THAT(err_, AllOf(StartsWith("bankctl: "), HasSubstr(row.message)));
  }
  EXPECT_THAT(one_.Asked("RunCommand"), IsEmpty());
}

TEST_F(ExecVerb, ARefusalOfTheBankIsItsExitCode) {
  one_.ends["RunCommand"] = {StatusCode::NOT_FOUND, "no agent meter is connected"};
  EXPECT_EQ(Exec(Form::kTable, {"meter", "df"}), kExitBadInput);
  EXPECT_EQ(err_, "bankctl: no agent meter is connected\n");
  one_.ends["RunCommand"] = {StatusCode::PERMISSION_DENIED, "not you"};
  EXPECT_EQ(Exec(Form::kTable, {"1", "df"}), kExitDenied);
}

}  // namespace
}  // namespace bank::bankctl
