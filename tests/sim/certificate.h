// Certificate: is the history what one bank, doing one thing at a time, could have answered?
//
// Every answer carries its place in the total order, so that the order need not be searched for. It
// is checked that no two writes claim one place; that a small model of a bank, fed in that order,
// gives every answer again; and that the order agrees with real time: what was answered before
// another operation began has its place before it. Shares nothing with the ledger but the names of
// commands and codes.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "tests/sim/history.h"

namespace bank::sim {

// What a bank is.
class Model {
 public:
  struct Answer {
    ledger::Code code = ledger::Code::kOk;
    int64_t balance = 0;
    bool operator==(const Answer&) const = default;
  };
  Answer Apply(const Operation& operation);
  Answer Read(const std::string& account) const;
  const std::map<std::string, int64_t>& balances() const { return balances_; }

 private:
  ledger::Code Change(const Operation& operation);

  std::map<std::string, int64_t> balances_;
  int64_t total_ = 0;
};

// An empty string, or what is wrong. `final` is the model after the last write.
std::string CheckCertificate(const History& history, Model* final);

}  // namespace bank::sim
