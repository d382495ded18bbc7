// customer call: one operation, typed by a person.
#include <fmt/format.h>
#include <cstdio>

#include <iostream>
#include <map>
#include <nlohmann/json.hpp>
#include <random>
#include <set>
#include <utility>
#include <vector>

#include "common/clock.h"
#include "common/exit_code.h"
#include "common/flags.h"
#include "customer/client/bank_client.h"
#include "customer/client/wire.h"
#include "customer/commands/commands.h"

namespace bank::customer {
namespace {

using history::Ending;
using history::Op;

const std::map<std::string, Op> kOps = {{"open", Op::kOpen},
                                        {"query", Op::kQuery},
                                        {"deposit", Op::kDeposit},
                                        {"withdraw", Op::kWithdraw},
                                        {"transfer", Op::kTransfer}};

class Call final : public Command {
 public:
  explicit Call(FlagSet& program)
      : Command(program, "call", "do one operation, or look up what became of one") {
    flags_.Add("OPERATION", operation_name_, "open, query, deposit, withdraw, transfer or lookup")
        .Required()
        .OneOf({"open", "query", "deposit", "withdraw", "transfer", "lookup"});
    amount_ = flags_.Add("AMOUNT", operation_.amount,
                         "minor units; of all but query and lookup (open: 0 if not given)");
    const Flag account = flags_.Add("--account", operation_.account, "whose; of all but lookup")
                             .Check(WhyNotAccountName)
                             .ShowDefault();
    const Flag to = flags_.Add("--to", operation_.to, "the account a transfer goes to")
                        .Check(WhyNotAccountName);
    minimum_ = flags_.Add("--minimum-position", operation_.minimum.value,
                          "query --consistency at-least: a position seen earlier");
    const Flag session = flags_.Add("--session", session_, "lookup: the key's session");
    const Flag sequence = flags_.Add("--sequence", sequence_, "lookup: the key's sequence");
    const Flag freshness = AddFreshnessFlag(flags_, operation_.freshness);
    read_by_ = {{amount_, {"open", "deposit", "withdraw", "transfer"}},
                {account, {"open", "query", "deposit", "withdraw", "transfer"}},
                {to, {"transfer"}},
                {freshness, {"query"}},
                {minimum_, {"query"}},
                {session, {"lookup"}},
                {sequence, {"lookup"}}};
    for (auto& [flag, operations] : read_by_) flag.OfOneCall();
    AddFormatFlag(flags_, json_);
    bank_.at = "localhost:50051";
    bank_.AddTo(flags_);
  }

  int Run() override {
    // What would be passed over may be what was meant: another key, another account.
    for (const auto& [flag, operations] : read_by_) {
      if (!flag.given() || operations.contains(operation_name_)) continue;
      return Complain(kExitUsage,
                      fmt::format("{} takes no {} (see --help)", operation_name_, flag.name()));
    }
    if (minimum_.given() && operation_.freshness != history::Freshness::kAtLeast) {
      return Complain(kExitUsage, "--minimum-position needs --consistency at-least");
    }
    if (const std::string missing = Missing(); !missing.empty()) {
      return Complain(kExitUsage,
                      fmt::format("{} needs {} (see --help)", operation_name_, missing));
    }
    auto branches = bank_.Connect();
    if (!branches.ok()) {
      return Complain(customer::ExitCodeOf(branches.status()),
                      std::string(branches.status().message()));
    }
    const BranchId first = branches->front().id;
    SteadyClock clock;
    client::BankClient::Options options{.patience = bank_.patience(),
                                        .failover = !bank_.no_failover,
                                        .seed = std::random_device()()};
    client::BankClient client(*std::move(branches), clock, options);
    if (operation_name_ == "lookup") {
      return Print(client.Lookup(SessionId(session_), sequence_, first));
    }
    operation_.op = kOps.at(operation_name_);
    if (operation_.op != Op::kQuery) {
      if (absl::Status status = client.OpenSession(first); !status.ok()) {
        return Complain(customer::ExitCodeOf(status), std::string(status.message()));
      }
    }
    return Print(client.Perform(operation_, first));
  }

 private:
  // What the operation cannot do without, and was not given; empty: nothing.
  std::string Missing() const {
    if (operation_name_ == "lookup") {
      return session_ == 0 || sequence_ == 0 ? "--session and --sequence" : "";
    }
    if (operation_name_ == "query") {
      const bool at_least = operation_.freshness == history::Freshness::kAtLeast;
      return at_least && !minimum_.given() ? "--minimum-position" : "";
    }
    if (operation_name_ == "open") return "";
    if (!amount_.given()) return "an AMOUNT";
    return operation_name_ == "transfer" && operation_.to.empty() ? "--to" : "";
  }

  int Print(const client::Answer& answer) const {
    const int exit_code = ExitCodeOf(answer);
    const std::string result(answer.ending == Ending::kOk     ? client::ResultName(answer.code)
                             : answer.ending == Ending::kInfo ? "unknown"
                                                              : "not_applied");
    if (json_) {
      const nlohmann::ordered_json json = {{"operation", operation_name_},
                                           {"success", answer.success()},
                                           {"result", result},
                                           {"balance", answer.balance},
                                           {"position", answer.position.value},
                                           {"branch", answer.branch.value},
                                           {"session", answer.identity.session.value},
                                           {"sequence", answer.identity.sequence},
                                           {"attempts", answer.attempts},
                                           {"reason", answer.reason}};
      std::cout << json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) << "\n";
    } else if (answer.ending == Ending::kOk) {
      fmt::print("{} {} money {} position {} branch {}{}\n", operation_name_,
                 answer.success() ? "True" : "False", answer.balance, answer.position.value,
                 answer.branch.value, answer.reason.empty() ? "" : " (" + answer.reason + ")");
    } else {
      fmt::print("{} {} session {} sequence {}\n", operation_name_, result,
                 answer.identity.session.value, answer.identity.sequence);
    }
    std::cout << std::flush;
    if (!std::cout || std::fflush(stdout) != 0) {
      // Of a write not "unavailable": whoever repeated the call would have it done twice.
      return Complain(operation_name_ == "query" ? kExitUnavailable : kExitUnknown,
                      fmt::format("standard output could not be written; {}: {}, session {} "
                                  "sequence {} position {}",
                                  operation_name_, result, answer.identity.session.value,
                                  answer.identity.sequence, answer.position.value));
    }
    // A refusal has told its reason above.
    return exit_code == kExitOk || exit_code == kExitRefused ? exit_code
                                                             : Complain(exit_code, answer.reason);
  }

  int ExitCodeOf(const client::Answer& answer) const {
    // A lookup is answered by what became of the key, whatever that is.
    const bool lookup = operation_name_ == "lookup";
    switch (answer.ending) {
      case Ending::kOk:
        return answer.success() || lookup ? kExitOk : kExitRefused;
      case Ending::kInfo:
        return kExitUnknown;
      case Ending::kFail:
        break;
    }
    if (answer.denied) return kExitDenied;
    return lookup ? kExitOk : kExitUnavailable;
  }

  std::string operation_name_;
  history::Operation operation_;
  Flag amount_;
  Flag minimum_;
  std::vector<std::pair<Flag, std::set<std::string>>> read_by_;  // by which operations
  uint64_t session_ = 0;
  uint64_t sequence_ = 0;
  bool json_ = false;
  BankFlags bank_;
};

}  // namespace

std::unique_ptr<Command> MakeCall(FlagSet& program) { return std::make_unique<Call>(program); }

}  // namespace bank::customer
