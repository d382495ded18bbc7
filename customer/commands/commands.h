// The subcommands of `customer`. Each adds its flags to its own subcommand before the command line
// is parsed, and runs afterwards if it was the one that was called.
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "customer/client/branches.h"
#include "customer/client/settlement.h"
#include "customer/history/event.h"
#include "net/security.h"

namespace bank::customer {

class Command {
 public:
  virtual ~Command() = default;
  virtual int Run() = 0;  // the program's exit code
  bool called() const { return app_->parsed(); }

 protected:
  Command(CLI::App& program, const std::string& name, const std::string& about)
      : app_(program.add_subcommand(name, about)) {}
  CLI::App* const app_;
};

std::unique_ptr<Command> MakeCheck(CLI::App& program);
std::unique_ptr<Command> MakeReplay(CLI::App& program);
std::unique_ptr<Command> MakeCall(CLI::App& program);
std::unique_ptr<Command> MakeLoad(CLI::App& program);

// Where the bank is and how patient to be with it.
struct BankFlags {
  std::string at;
  CLI::Option* at_given = nullptr;
  net::TlsFiles tls;
  double attempt_timeout_s = 2;
  double operation_timeout_s = 30;
  bool no_failover = false;

  void AddTo(CLI::App& app);
  client::Patience patience() const;
  absl::StatusOr<std::vector<client::Branch>> Connect() const;
  // What an output must not be: `more`, and the files of these flags.
  std::vector<std::string> FilesInUse(std::vector<std::string> more) const;
};

// Adds an option that takes one of the names of `choices`; `value` holds the default.
template <class Value>
CLI::Option* AddChoice(CLI::App& app, const std::string& flags,
                       const std::map<std::string, Value>& choices, Value& value,
                       const std::string& about) {
  std::string fallback;
  for (const auto& [name, choice] : choices) {
    if (choice == value) fallback = name;
  }
  return app
      .add_option_function<std::string>(
          flags, [&choices, &value](const std::string& name) { value = choices.at(name); }, about)
      ->check(CLI::IsMember(&choices))
      ->default_str(fallback);
}

// The flag -w, --write table|json.
void AddFormatFlag(CLI::App& app, bool& json);

// The flag --consistency.
CLI::Option* AddFreshnessFlag(CLI::App& app, history::Freshness& freshness);
// Accepts the name of an account, and not "", which the bank takes for "shared".
CLI::Validator IsAccountName();
std::string_view FreshnessName(history::Freshness freshness);  // as that flag spells it

// Prints "customer: ..." on standard error; gives back `exit_code`.
int Complain(int exit_code, std::string_view what);
// The exit code that fits an error of ours.
int ExitCodeOf(const absl::Status& status);

}  // namespace bank::customer
