// Goal: the customers of an input act in the order asked for, and an output appears only when all
// answers are there. Method: the rules on tables of stages; the program itself, as processes,
// against a fake bank.
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <future>
#include <map>
#include <set>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "common/exit_code.h"
#include "common/whole_file.h"
#include "customer/replay/coordinator.h"
#include "customer/replay/files.h"
#include "customer/replay/order.h"
#include "customer/replay/report.h"
#include "customer/replay/worker.h"
#include "customer/script/answers.h"
#include "tests/support/fake_bank.h"
#include "tests/support/temp_folder.h"

namespace bank::replay {
namespace {

using Numbers = std::vector<size_t>;
using S = Stage;

TEST(Order, SequentialReleasesOneAfterTheOtherAndStartsAhead) {
  const OrderLimits limits{.starting_max = 2, .ahead_max = 3};
  const auto k = Order::kSequential;
  EXPECT_EQ(ToStart(k, {S::kNotStarted, S::kNotStarted, S::kNotStarted}, limits), (Numbers{0, 1}));
  EXPECT_EQ(ToStart(k, {S::kRunning, S::kReady, S::kReady, S::kReady, S::kNotStarted}, limits),
            Numbers{});
  EXPECT_EQ(ToStart(k, {S::kRunning, S::kReady, S::kReady, S::kNotStarted}, limits), Numbers{3});
  EXPECT_EQ(ToRelease(k, {S::kStarting, S::kReady}), Numbers{});
  EXPECT_EQ(ToRelease(k, {S::kDone, S::kReady, S::kReady}), Numbers{1});
  EXPECT_EQ(ToRelease(k, {S::kDone, S::kRunning, S::kReady}), Numbers{});
  EXPECT_EQ(ToRelease(k, {S::kDone, S::kDone}), Numbers{});
}

TEST(Order, OthersAllAtOnceAndOnceMoreAtTheBarrier) {
  const auto k = Order::kConverged;
  EXPECT_EQ(ToRelease(k, {S::kReady, S::kStarting}), Numbers{});
  EXPECT_EQ(ToRelease(k, {S::kReady, S::kReady}), (Numbers{0, 1}));
  EXPECT_EQ(ToRelease(k, {S::kWaiting, S::kRunning}), Numbers{});
  EXPECT_EQ(ToRelease(k, {S::kWaiting, S::kWaiting}), (Numbers{0, 1}));
  EXPECT_EQ(ToRelease(k, {S::kDone, S::kDone}), Numbers{});
  EXPECT_EQ(ToRelease(Order::kConcurrent, {}), Numbers{});
}

TEST(Order, FewEntriesHaveAProcessEachAndManyShareAFew) {
  const OrderLimits limits{.processes_max = 4, .processes_shared = 3};
  EXPECT_EQ(Divide(0, limits), std::vector<Share>{});
  EXPECT_EQ(Divide(4, limits), (std::vector<Share>{{0, 0}, {1, 1}, {2, 2}, {3, 3}}));
  EXPECT_EQ(Divide(5, limits), (std::vector<Share>{{0, 0}, {1, 2}, {3, 4}}));
  EXPECT_EQ(Divide(3000, limits), (std::vector<Share>{{0, 999}, {1000, 1999}, {2000, 2999}}));
}

// Every entry waits for a go, and is told once that there is none.
TEST(Worker, StartsAndReleasesEachOfItsEntriesAsItIsTold) {
  std::istringstream commands("start 3\nstart 4\nnonsense\ngo 9\nstart 9\nstart 3\ngo 4\n");
  std::ostringstream reports;
  RunWorker(
      {2, 4},
      [](size_t number, const Coordinator& coordinator) {
        coordinator.tell({.type = Report::Type::kReady});
        const bool go = coordinator.await_go();
        EXPECT_EQ(go, number == 3) << number;
        coordinator.tell({.type = go ? Report::Type::kDone : Report::Type::kWaiting});
      },
      commands, reports);
  std::multiset<std::pair<size_t, Report::Type>> told;
  std::istringstream lines(reports.str());
  for (std::string line; std::getline(lines, line);) {
    const auto report = ParseReport(line);
    ASSERT_TRUE(report.ok()) << line;
    told.emplace(report->entry, report->type);
  }
  using Type = Report::Type;
  EXPECT_EQ(told,
            (std::multiset<std::pair<size_t, Type>>{
                {2, Type::kReady}, {2, Type::kWaiting}, {3, Type::kReady}, {3, Type::kDone}}));
}

TEST(Report, ComesBackAsItWas) {
  const std::vector<Report> reports = {
      {.type = Report::Type::kReady},
      {.type = Report::Type::kAnswer, .answer = {script::Interface::kQuery, true, 400}},
      {.type = Report::Type::kWaiting, .entry = 7},
      {.type = Report::Type::kDone},
      {.type = Report::Type::kFailed, .exit_code = kExitUnknown, .reason = "a \"b\"\n"}};
  for (const Report& report : reports) {
    std::string line = FormatReport(report);
    ASSERT_EQ(line.find('\n'), line.size() - 1);
    line.pop_back();
    const auto parsed = ParseReport(line);
    ASSERT_TRUE(parsed.ok()) << line;
    EXPECT_EQ(*parsed, report) << line;
  }
  for (const char* bad : {"", "{}", "{\"type\":\"x\"}", "id 1 query"}) {
    EXPECT_FALSE(ParseReport(bad).ok()) << bad;
  }
}

TEST(Answers, OutputAndReportLines) {
  using script::Interface;
  EXPECT_EQ(script::FormatOutput({{1, {{Interface::kQuery, true, 0}}},
                                  {1, {{Interface::kDeposit, true}, {Interface::kWithdraw, false}}},
                                  {2, {}}}),
            R"([{"id":1,"recv":[{"interface":"query","balance":0}]},)"
            R"({"id":1,"recv":[{"interface":"deposit","result":"success"},)"
            R"({"interface":"withdraw","result":"fail"}]},{"id":2,"recv":[]}])"
            "\n");
  EXPECT_EQ(script::FormatReportLine(1, {Interface::kQuery, true, 400}),
            "id 1 query True money 400");
  EXPECT_EQ(script::FormatReportLine(3, {Interface::kWithdraw, false}), "id 3 withdraw False");
}

TEST(Conducting, WhoEndsWithoutAWordHasFailed) {
  std::signal(SIGPIPE, SIG_IGN);  // as `customer replay` does
  const ConductResult result =
      Conduct({{.customer = 1, .operations = {}}},
              {.command = [](Share) { return std::vector<std::string>{"/bin/true"}; },
               .show = [](uint64_t, const script::Answer&) {}});
  EXPECT_EQ(result.exit_code, kExitUnavailable);
  EXPECT_NE(result.reason.find("ended early"), std::string::npos) << result.reason;
}

// The program, run by a shell.
class Program : public ::testing::Test {
 protected:
  std::string at() const {
    return "1=" + one_.address() + ",2=" + two_.address() + ",3=" + three_.address();
  }
  // The exit code; what it printed is in printed_.
  int Run(const std::string& arguments) {
    const std::string command = std::string(CUSTOMER_PROGRAM) + " " + arguments + " >" + folder_ +
                                "/printed 2>" + folder_ + "/complaint";
    const int status = std::system(command.c_str());
    printed_ = Read("printed");
    complaint_ = Read("complaint");
    return WEXITSTATUS(status);
  }
  std::vector<v1::Request> Requests() {
    std::lock_guard lock(books_->mutex);
    return books_->requests;
  }
  std::string Read(const std::string& name) const {
    std::ifstream file(folder_ + "/" + name, std::ios::binary);
    std::ostringstream text;
    text << file.rdbuf();
    return text.str();
  }
  bool Exists(const std::string& name) const {
    return std::filesystem::exists(folder_ + "/" + name);
  }
  static std::string Input(const std::string& name) {
    return std::string(BANK_SOURCE_DIR) + "/input/" + name;
  }
  static std::string Expected(const std::string& name) {
    return ReadWholeFile(Input("expected/" + name)).value_or("missing");
  }
  std::string Files() const {
    return " --output " + folder_ + "/out.json --history " + folder_ + "/history";
  }

  const TempFolder temp_;
  const std::string& folder_ = temp_.path();
  std::shared_ptr<testing::Books> books_ = std::make_shared<testing::Books>();
  testing::FakeBranch one_{1, books_};
  testing::FakeBranch two_{2, books_};
  testing::FakeBranch three_{3, books_};
  std::string printed_;
  std::string complaint_;
};

TEST_F(Program, Sequential) {
  ASSERT_EQ(Run("replay " + Input("three_branches.json") + " --at " + at() + Files()), 0)
      << complaint_;
  EXPECT_EQ(printed_,
            "id 1 query True money 400\nid 2 deposit True\nid 2 query True money 570\n"
            "id 3 withdraw True\nid 3 query True money 500\n");
  EXPECT_EQ(Read("out.json"), Expected("three_branches.json"));
  const std::string history = Read("history");
  EXPECT_EQ(std::count(history.begin(), history.end(), '\n'), 1 + 2 * 5);
  EXPECT_FALSE(Exists("history.entry-1"));
}

TEST_F(Program, Converged) {
  ASSERT_EQ(
      Run("replay " + Input("three_branches.json") + " --order converged --at " + at() + Files()),
      0)
      << complaint_;
  EXPECT_EQ(Read("out.json"), Expected("three_branches_converged.json"));
}

TEST_F(Program, ARefusalIsAResult) {
  for (const char* name : {"same_customer_again.json", "branch_per_event.json"}) {
    {
      std::lock_guard lock(books_->mutex);
      books_->balances["shared"] = 400;
    }
    ASSERT_EQ(Run("replay " + Input("forms/" + std::string(name)) + " --at " + at() + Files()), 0)
        << complaint_;
    EXPECT_EQ(Read("out.json"), Expected(name));
  }
}

TEST_F(Program, BadInputGivesOneLineAndNoOutput) {
  EXPECT_EQ(Run("replay " + Input("malformed/fraction_amount.json") + Files()), kExitBadInput);
  EXPECT_EQ(std::count(complaint_.begin(), complaint_.end(), '\n'), 1) << complaint_;
  EXPECT_EQ(Run("check " + folder_), kExitBadInput);
  EXPECT_EQ(Run("replay " + Input("three_branches.json") + " --at 1=localhost:1" + Files()),
            kExitUsage);
  EXPECT_FALSE(Exists("out.json"));
  EXPECT_FALSE(Exists("history"));
}

TEST_F(Program, AnUnavailableBranchEndsTheRun) {
  two_.SetServing(false);
  EXPECT_EQ(
      Run("replay " + Input("three_branches.json") + " --ready-timeout 0.2 --at " + at() + Files()),
      kExitUnavailable);
  EXPECT_NE(complaint_.find("not serving"), std::string::npos) << complaint_;
  EXPECT_FALSE(Exists("out.json"));
}

TEST_F(Program, WhatIsCertainlyNotAppliedIsNoResult) {
  two_.Order(std::vector<testing::Fault>(
      100'000, {.kind = testing::Fault::Kind::kRefuse, .status = grpc::StatusCode::ABORTED}));
  EXPECT_EQ(Run("replay " + Input("three_branches.json") +
                " --no-failover --operation-timeout 0.2 --at " + at() + Files()),
            kExitUnavailable);
  EXPECT_NE(complaint_.find("not applied"), std::string::npos) << complaint_;
  EXPECT_FALSE(Exists("out.json"));
}

// Only what changes money can be refused for the money's sake.
TEST_F(Program, ARefusedQueryIsNoResult) {
  // The first query asks what the bank held before the run; the second one is the customer's.
  const testing::Fault refused = {.kind = testing::Fault::Kind::kAnswer,
                                  .code = v1::OVERFLOW_REFUSED};
  one_.Order({refused, refused});
  EXPECT_EQ(Run("replay " + Input("three_branches.json") + " --at " + at() + Files()),
            kExitRefused);
  EXPECT_NE(complaint_.find("refused"), std::string::npos) << complaint_;
  EXPECT_FALSE(Exists("out.json"));
}

TEST_F(Program, CustomersSeeTheirOwnWrites) {
  ASSERT_EQ(Run("replay " + Input("three_branches.json") + " --consistency at-least --at " + at() +
                Files()),
            0)
      << complaint_;
  std::lock_guard lock(books_->mutex);
  std::vector<uint64_t> minima;
  for (const v1::Request& request : books_->requests) {
    if (request.request() == "query") minima.push_back(request.minimum_position());
  }
  ASSERT_EQ(minima.size(), 4u);
  EXPECT_EQ(minima[0], 0u) << "what the bank held before the run";
  EXPECT_EQ(minima[1], 0u) << "nothing was seen before";
  EXPECT_GT(minima[2], 0u);
  EXPECT_GT(minima[3], minima[2]);
}

TEST_F(Program, AnUnknownOutcomeIsToldWithItsKey) {
  using Kind = testing::Fault::Kind;
  two_.Order(std::vector<testing::Fault>(1000, {.kind = Kind::kLoseReply}));
  EXPECT_EQ(Run("replay " + Input("three_branches.json") +
                " --no-failover --operation-timeout 0.2 --at " + at() + Files()),
            kExitUnknown);
  EXPECT_NE(complaint_.find("sequence 1"), std::string::npos) << complaint_;
  EXPECT_FALSE(Exists("out.json"));
  EXPECT_NE(Read("history").find("\"type\":\"info\""), std::string::npos);
}

TEST_F(Program, OneCall) {
  EXPECT_EQ(Run("call withdraw 70 --at " + at()), 0);
  EXPECT_EQ(printed_.rfind("withdraw True money 330 ", 0), 0U) << printed_;
  EXPECT_EQ(Run("call withdraw 331 --at " + at()), kExitRefused);
  EXPECT_EQ(printed_.rfind("withdraw False money 330 ", 0), 0U) << printed_;
}

// --- What must not surprise ---------------------------------------------------------------------
TEST_F(Program, NumbersAreWhatTheyLookLike) {
  for (const char* number :
       {"010", "0x10", "+10", "99999999999999999999", "9223372036854775808", "1e3", "-10", "''"}) {
    EXPECT_EQ(Run(std::string("call deposit --at ") + at() + " -- " + number), kExitUsage)
        << number;
    EXPECT_EQ(Run(std::string("load --account shared --history h --initial-balance ") + number),
              kExitUsage)
        << number;
    EXPECT_EQ(Run(std::string("call query --at ") + number + "=" + one_.address()), kExitBadInput)
        << number;
    EXPECT_EQ(std::count(complaint_.begin(), complaint_.end(), '\n'), 1) << complaint_;
  }
  EXPECT_TRUE(Requests().empty());
  EXPECT_EQ(Run("call deposit 10 --at " + at()), 0);
  ASSERT_EQ(Requests().size(), 1u);
  EXPECT_EQ(Requests()[0].money(), 10);
}

TEST_F(Program, WhatACallDoesNotReadItRefuses) {
  for (const char* arguments :
       {"call deposit 5 --session 7 --sequence 1", "call deposit 5 --sequence 1",
        "call deposit 5 --account ''", "call deposit 5 --to other", "call transfer 5 --to ''",
        "call withdraw 5 --consistency local", "call query 5", "call query --to shared",
        "call query --minimum-position 3", "call query --consistency at-least",
        "call query --session 7", "call lookup 5 --session 7 --sequence 1",
        "call lookup --session 7 --sequence 1 --account shared", "load --account ''",
        "load --batch 10", "load --account shared --opening-balance 5",
        "load --account shared --initial-balance 5", "load --initial-balance 5 --history h",
        "load --history ''"}) {
    EXPECT_EQ(Run(std::string(arguments) + " --at " + at()), kExitUsage) << arguments;
    EXPECT_EQ(std::count(complaint_.begin(), complaint_.end(), '\n'), 1) << complaint_;
  }
  const std::string input = "replay " + Input("three_branches.json");
  for (const char* arguments :
       {" --entry 1 --order converged", " --entry 0", " --output ''", " --history ''"}) {
    EXPECT_EQ(Run(input + arguments + " --at " + at()), kExitUsage) << arguments;
  }
  EXPECT_EQ(Run(input + " --at ''"), kExitUsage);
  EXPECT_TRUE(Requests().empty());
  EXPECT_EQ(Run("call transfer 5 --account shared --to other --at " + at()), kExitRefused);
}

TEST_F(Program, TheEnvironmentMovesNoMoney) {
  const std::map<std::string, std::string> variables = {
      {"BANK_ACCOUNT", "other"}, {"BANK_TO", "other"},       {"BANK_AMOUNT", "9"},
      {"BANK_SESSION", "7"},     {"BANK_SEQUENCE", "1"},     {"BANK_ENTRY", "1"},
      {"BANK_OUTPUT", "x"},      {"BANK_HISTORY", "x"},      {"BANK_ID", "9"},
      {"BANK_AMOUNT_MAX", "99"}, {"BANK_MINIMUM_INDEX", "9"}};
  for (const auto& [name, value] : variables) setenv(name.c_str(), value.c_str(), 1);
  EXPECT_EQ(Run("call deposit 10 --at " + at()), 0) << complaint_;
  EXPECT_EQ(Run("call deposit --at " + at()), kExitUsage);
  EXPECT_EQ(Run("replay " + Input("three_branches.json") + " --at " + at()), 0) << complaint_;
  for (const auto& [name, value] : variables) unsetenv(name.c_str());
  ASSERT_EQ(Requests().size(), 1u + 5u);
  EXPECT_EQ(Requests()[0].account(), "shared");
  EXPECT_EQ(Requests()[0].money(), 10);
}

TEST_F(Program, AnOutputThatCannotBeIsKnownBeforeTheFirstOperation) {
  std::filesystem::copy(Input("three_branches.json"), folder_ + "/input.json");
  std::filesystem::create_symlink("input.json", folder_ + "/link");
  const std::string input = ReadWholeFile(folder_ + "/input.json").value();
  for (const std::string flag : {"--output", "--history"}) {
    for (const std::string name : {"input.json", "link", "nowhere/file", "."}) {
      EXPECT_EQ(Run("replay " + folder_ + "/input.json --at " + at() + " " + flag + " " + folder_ +
                    "/" + name),
                kExitUsage)
          << flag << " " << name;
      EXPECT_EQ(std::count(complaint_.begin(), complaint_.end(), '\n'), 1) << complaint_;
      EXPECT_NE(complaint_.find(flag), std::string::npos) << complaint_;
    }
  }
  EXPECT_EQ(Run("replay " + folder_ + "/input.json --at " + at() + " --output " + folder_ +
                "/same --history " + folder_ + "/same"),
            kExitUsage);
  EXPECT_EQ(Run("load --operations 1 --at " + at() + " --history " + folder_ + "/nowhere/file"),
            kExitUsage);
  EXPECT_TRUE(Requests().empty());
  EXPECT_EQ(ReadWholeFile(folder_ + "/input.json").value(), input);
  EXPECT_FALSE(Exists("same"));
}

TEST_F(Program, WhatIsNoFileIsWrittenThrough) {
  for (const char* name : {"answers-fifo", "history-fifo"}) {
    ASSERT_EQ(mkfifo((folder_ + "/" + name).c_str(), 0600), 0);
  }
  std::ofstream(folder_ + "/target") << "old";
  std::filesystem::create_symlink("target", folder_ + "/link");
  const std::string replay = "replay " + Input("three_branches.json") + " --at " + at();
  auto answers = std::async(std::launch::async, [&] { return Read("answers-fifo"); });
  auto history = std::async(std::launch::async, [&] { return Read("history-fifo"); });
  EXPECT_EQ(
      Run(replay + " --output " + folder_ + "/answers-fifo --history " + folder_ + "/history-fifo"),
      0)
      << complaint_;
  EXPECT_EQ(answers.get(), Expected("three_branches.json"));
  const std::string lines = history.get();
  EXPECT_EQ(std::count(lines.begin(), lines.end(), '\n'), 1 + 2 * 5);
  {
    std::lock_guard lock(books_->mutex);
    books_->balances["shared"] = 400;
  }
  EXPECT_EQ(Run(replay + " --output " + folder_ + "/link"), 0) << complaint_;
  EXPECT_TRUE(std::filesystem::is_symlink(folder_ + "/link"));
  EXPECT_EQ(Read("target"), Expected("three_branches.json"));
}

// Parts of an earlier run that was killed, or files of anybody's, are not taken for this run's.
TEST_F(Program, OnlyThisRunsPartsBecomeItsHistory) {
  std::ofstream(folder_ + "/history.entry-1") << "of somebody";
  ASSERT_EQ(Run("replay " + Input("three_branches.json") + " --at " + at() + Files()), 0)
      << complaint_;
  EXPECT_EQ(Read("history.entry-1"), "of somebody");
  const std::string history = Read("history");
  EXPECT_EQ(std::count(history.begin(), history.end(), '\n'), 1 + 2 * 5);
  for (const auto& item : std::filesystem::directory_iterator(folder_)) {
    EXPECT_EQ(item.path().string().find("parts"), std::string::npos) << item.path();
  }
}

TEST_F(Program, WhatCouldNotBePrintedIsNoSuccess) {
  const std::vector<std::string> calls = {
      "--help",
      "--version",
      "check " + Input("three_branches.json"),
      "call query --at " + at(),
      "load --operations 5 --accounts 2 --at " + at(),
      "replay " + Input("three_branches.json") + " --at " + at()};
  for (const std::string& arguments : calls) {
    const std::string command = std::string(CUSTOMER_PROGRAM) + " " + arguments;
    const std::string complaint = " 2>" + folder_ + "/complaint";
    EXPECT_EQ(WEXITSTATUS(std::system((command + " >/dev/full" + complaint).c_str())),
              kExitUnavailable)
        << arguments;
    EXPECT_NE(Read("complaint").find("standard output"), std::string::npos) << arguments;
    EXPECT_EQ(WEXITSTATUS(std::system((command + " >&-" + complaint).c_str())), kExitUnavailable)
        << arguments;
  }
}

// Whoever asks again after "unavailable" must not have it done twice.
TEST_F(Program, AWriteThatCouldNotBePrintedIsNotUnavailable) {
  const std::string command = std::string(CUSTOMER_PROGRAM) + " call deposit 5 --at " + at() +
                              " >/dev/full 2>" + folder_ + "/complaint";
  EXPECT_EQ(WEXITSTATUS(std::system(command.c_str())), kExitUnknown);
  EXPECT_NE(Read("complaint").find("deposit: ok"), std::string::npos) << Read("complaint");
}

TEST_F(Program, LoadInBothModesGoesOnThroughFaults) {
  using Kind = testing::Fault::Kind;
  for (const std::string mode : {"unary", "stream"}) {
    // The first three open the accounts.
    one_.Order({{}, {}, {}, {}, {.kind = Kind::kLoseReply}, {.kind = Kind::kRefuse}});
    one_.OrderForBatches({{}, {.kind = Kind::kLoseReply}, {.kind = Kind::kRefuse}});
    ASSERT_EQ(Run("load --mode " + mode + (mode == "stream" ? " --batch 10" : "") +
                  " --operations 2000 --concurrency 4 --accounts 3 -w json --at " + at() +
                  " --history " + folder_ + "/history"),
              0)
        << complaint_ << printed_;
    EXPECT_NE(printed_.find(R"("operations":2000,)"), std::string::npos) << printed_;
    EXPECT_NE(printed_.find(R"("ok":2000)"), std::string::npos) << printed_;
    EXPECT_EQ(printed_.find(R"("retries":0)"), std::string::npos) << printed_;
    const std::string history = Read("history");
    EXPECT_EQ(std::count(history.begin(), history.end(), '\n'), 1 + 2 * (2000 + 3));
  }
}

}  // namespace
}  // namespace bank::replay
