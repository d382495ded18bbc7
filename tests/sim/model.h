// Model: what a bank is, told a second time: accounts alone, without keys, sessions or a log.
// Shares nothing with the ledger but the names of commands and codes.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "tests/sim/history.h"

namespace bank::sim {

class Model {
 public:
  struct Answer {
    ledger::Code code = ledger::Code::kOk;
    int64_t balance = 0;
    bool operator==(const Answer&) const = default;
  };
  // The balance is that of the operation's account, afterwards.
  Answer Apply(const Operation& operation);
  Answer Read(const std::string& account) const;
  const std::map<std::string, int64_t>& balances() const { return balances_; }

 private:
  ledger::Code Change(const Operation& operation);

  std::map<std::string, int64_t> balances_;
  int64_t total_ = 0;
};

}  // namespace bank::sim
