// The subcommands of `customer`. Each adds its flags to its own subcommand before the command line
// is parsed, and runs afterwards if it was the one that was called.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/flags.h"
#include "customer/client/branches.h"
#include "customer/client/retry_policy.h"
#include "customer/history/event.h"
#include "net/security.h"

namespace bank::customer {

class Command {
 public:
  virtual ~Command() = default;
  virtual int Run() = 0;  // the program's exit code
  bool called() const { return flags_.called(); }

 protected:
  Command(FlagSet& program, const std::string& name, const std::string& about)
      : flags_(program.AddCommand(name, about)) {}
  FlagSet& flags_;
};

std::unique_ptr<Command> MakeCheck(FlagSet& program);
std::unique_ptr<Command> MakeReplay(FlagSet& program);
std::unique_ptr<Command> MakeCall(FlagSet& program);
std::unique_ptr<Command> MakeLoad(FlagSet& program);

// Where the bank is and how patient to be with it.
struct BankFlags {
  std::string at;
  Flag at_given;
  net::TlsFiles tls;
  double attempt_timeout_s = 2;
  double operation_timeout_s = 30;
  bool no_failover = false;

  void AddTo(FlagSet& flags);
  client::Patience patience() const;
  // The branches of --at, those without an id numbered by their place.
  absl::StatusOr<std::vector<net::BranchAddress>> Addresses() const;
  absl::StatusOr<std::vector<client::Branch>> Connect() const;
  // What an output must not be: `more`, and the files of these flags.
  std::vector<std::string> FilesInUse(std::vector<std::string> more) const;
};

// Adds an option that takes one of the names of `choices`; `value` holds the default.
template <class Value>
Flag AddChoice(FlagSet& flags, const std::string& names,
               const std::map<std::string, Value>& choices, Value& value,
               const std::string& about) {
  std::string fallback;
  std::vector<std::string> known;
  for (const auto& [name, choice] : choices) {
    known.push_back(name);
    if (choice == value) fallback = name;
  }
  return flags
      .Add(
          names, [&choices, &value](const std::string& name) { value = choices.at(name); }, about)
      .OneOf(std::move(known))
      .ShowDefault(fallback);
}

// The flag -w, --write table|json.
void AddFormatFlag(FlagSet& flags, bool& json);

// The flag --consistency.
Flag AddFreshnessFlag(FlagSet& flags, history::Freshness& freshness);
// What is wrong with the name of an account ("": the bank takes it for "shared"); empty: nothing.
std::string WhyNotAccountName(const std::string& name);
std::string_view FreshnessName(history::Freshness freshness);  // as that flag spells it

// Prints "customer: ..." on standard error; gives back `exit_code`.
int Complain(int exit_code, std::string_view what);
// The exit code that fits an error of ours.
int ExitCodeOf(const absl::Status& status);

}  // namespace bank::customer
