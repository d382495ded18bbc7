// customer call: one operation, typed by a person.
#include <fmt/format.h>

#include <iostream>
#include <map>
#include <nlohmann/json.hpp>
#include <random>

#include "common/clock.h"
#include "common/exit_code.h"
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
    flags_.Add("--account", operation_.account, "").ShowDefault();
    flags_.Add("--to", operation_.to, "the account a transfer goes to");
    flags_.Add("--minimum-index", operation_.minimum.value,
               "with --consistency at-least: a log_index seen earlier");
    flags_.Add("--session", session_, "lookup: the key's session");
    flags_.Add("--sequence", sequence_, "lookup: the key's sequence");
    AddFreshnessFlag(flags_, operation_.freshness);
    AddFormatFlag(flags_, json_);
    bank_.at = "localhost:50051";
    bank_.AddTo(flags_);
  }

  int Run() override {
    if (const std::string missing = Missing(); !missing.empty()) {
      return Complain(kExitUsage,
                      fmt::format("{} needs {} (see --help)", operation_name_, missing));
    }
    auto branches = bank_.Connect();
    if (!branches.ok()) {
      return Complain(ExitCodeOf(branches.status()), std::string(branches.status().message()));
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
        return Complain(ExitCodeOf(status), std::string(status.message()));
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
    if (operation_name_ == "query" || operation_name_ == "open") return "";
    if (!amount_.given()) return "an AMOUNT";
    return operation_name_ == "transfer" && operation_.to.empty() ? "--to" : "";
  }

  int Print(const client::Answer& answer) const {
    const int exit_code = answer.ending == Ending::kOk     ? kExitOk
                          : answer.ending == Ending::kInfo ? kExitUnknown
                          : answer.denied                  ? kExitDenied
                          : operation_name_ == "lookup"    ? kExitOk
                                                           : kExitUnavailable;
    const std::string result(answer.ending == Ending::kOk     ? client::ResultName(answer.code)
                             : answer.ending == Ending::kInfo ? "unknown"
                                                              : "not_applied");
    if (json_) {
      const nlohmann::ordered_json json = {{"operation", operation_name_},
                                           {"success", answer.success()},
                                           {"result", result},
                                           {"balance", answer.balance},
                                           {"index", answer.index.value},
                                           {"branch", answer.branch.value},
                                           {"session", answer.identity.session.value},
                                           {"sequence", answer.identity.sequence},
                                           {"attempts", answer.attempts},
                                           {"reason", answer.reason}};
      std::cout << json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) << "\n";
    } else if (answer.ending == Ending::kOk) {
      fmt::print("{} {} money {} index {} branch {}{}\n", operation_name_,
                 answer.success() ? "True" : "False", answer.balance, answer.index.value,
                 answer.branch.value, answer.reason.empty() ? "" : " (" + answer.reason + ")");
    } else {
      fmt::print("{} {} session {} sequence {}\n", operation_name_, result,
                 answer.identity.session.value, answer.identity.sequence);
    }
    return exit_code == kExitOk ? kExitOk : Complain(exit_code, answer.reason);
  }

  std::string operation_name_;
  history::Operation operation_;
  Flag amount_;
  uint64_t session_ = 0;
  uint64_t sequence_ = 0;
  bool json_ = false;
  BankFlags bank_;
};

}  // namespace

std::unique_ptr<Command> MakeCall(FlagSet& program) { return std::make_unique<Call>(program); }

}  // namespace bank::customer
