// Commands per second that one core applies: keyed deposits, in entries of 1,000.
// Prints one line per shape; no threshold, so that a busy machine fails nothing.
#include <chrono>
#include <cstdio>
#include <string>
#include <vector>

#include "branch/ledger/ledger.h"

namespace bank::ledger {
namespace {

constexpr uint64_t kEntries = 2'000;
constexpr uint64_t kBatch = 1'000;

void Measure(const char* shape, uint64_t accounts, uint64_t sessions) {
  Ledger ledger;
  std::vector<Outcome> outcomes;
  std::string founding;
  for (uint64_t i = 0; i < accounts; ++i) {
    const std::string name = "account-" + std::to_string(i);
    AppendCommand({.kind = Kind::kOpen, .account = name}, &founding);
  }
  for (uint64_t i = 0; i < sessions; ++i) {
    AppendCommand({.kind = Kind::kOpenSession}, &founding);
  }
  if (!ledger.Apply(EncodeEntry({0, accounts + sessions}, founding), &outcomes).ok()) return;
  std::vector<SessionId> ids;
  for (uint64_t i = 0; i < sessions; ++i) {
    ids.emplace_back(outcomes[accounts + i].position.value);
  }

  std::vector<std::string> entries;
  uint64_t n = 0;
  for (uint64_t e = 0; e < kEntries; ++e) {
    std::string batch;
    for (uint64_t i = 0; i < kBatch; ++i, ++n) {
      const std::string name = "account-" + std::to_string((n * 7919) % accounts);
      const uint64_t sequence = n / sessions + 1;
      Command command{.kind = Kind::kDeposit, .account = name, .amount = 1};
      command.session = ids[n % sessions];
      command.sequence = sequence;
      command.answered_below = sequence > 2'000 ? sequence - 2'000 : 1;
      AppendCommand(command, &batch);
    }
    entries.push_back(EncodeEntry({static_cast<int64_t>(e), kBatch}, batch));
  }

  const auto begin = std::chrono::steady_clock::now();
  uint64_t refused = 0;
  for (const std::string& entry : entries) {
    outcomes.clear();
    if (!ledger.Apply(entry, &outcomes).ok()) return;
    for (const Outcome& outcome : outcomes) refused += outcome.code != Code::kOk;
  }
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
  std::printf("%-34s %10.0f commands/s, %llu refused\n", shape,
              static_cast<double>(n) / took.count(), static_cast<unsigned long long>(refused));
}

}  // namespace
}  // namespace bank::ledger

int main() {
  bank::ledger::Measure("1 account, 1 session", 1, 1);
  bank::ledger::Measure("1 account, 100 sessions", 1, 100);
  bank::ledger::Measure("100,000 accounts, 100 sessions", 100'000, 100);
  return 0;
}
