// What the teller itself costs per operation, above a replicator that answers at once without
// applying anything. Prints one line per shape; no threshold.
#include <chrono>
#include <cstdio>
#include <vector>

#include "branch/teller/teller.h"
#include "tests/support/seeded_entropy.h"

namespace bank::teller {
namespace {

class Echo final : public replication::Replicator {
 public:
  void Propose(std::string, uint64_t count, int64_t, ProposeCallback done) override {
    done({replication::Fate::kApplied,
          std::vector<ledger::Outcome>(count, {ledger::Code::kOk, false, Position(1), 1}),
          {}});
  }
  void ReadBarrier(int64_t, ReadCallback done) override { done(absl::OkStatus()); }
  void WaitApplied(Position, int64_t, ReadCallback done) override { done(absl::OkStatus()); }
  ledger::Outcome Query(std::string_view) const override { return {}; }
  replication::ReplicatorStatus GetStatus() const override { return {}; }
};

template <class Body>
void Measure(const char* shape, uint64_t operations, Body body) {
  const auto begin = std::chrono::steady_clock::now();
  body();
  const std::chrono::duration<double, std::nano> took = std::chrono::steady_clock::now() - begin;
  std::printf("%-24s %8.0f ns/operation\n", shape, took.count() / static_cast<double>(operations));
}

void Run() {
  constexpr uint64_t kSingles = 1'000'000;
  constexpr uint64_t kBatches = 2'000;
  constexpr size_t kSize = 1'000;
  constexpr int64_t kNever = int64_t{1} << 62;
  SteadyClock clock;
  Echo echo;
  SeededEntropy entropy;
  Teller teller({}, echo, clock, entropy);
  uint64_t answered = 0;
  Operation deposit{.kind = ledger::Kind::kDeposit, .amount = 1};
  const auto singles = [&] {
    for (uint64_t i = 1; i <= kSingles; ++i) {
      if (deposit.session != SessionId{}) deposit.sequence = deposit.answered_below = i;
      teller.Execute(deposit, kNever, [&](TellerReply) { ++answered; });
    }
  };
  Measure("single, no key", kSingles, singles);
  deposit.session = SessionId(1'000'000);
  Measure("single, keyed", kSingles, singles);
  deposit = {};
  Measure("single query", kSingles, singles);

  const std::vector<ledger::Kind> kinds(kSize, ledger::Kind::kDeposit);
  const std::vector<int64_t> amounts(kSize, 1);
  const Batch batch{.kind = kinds, .amount = amounts};
  Measure("batches of 1,000, no key", kBatches * kSize, [&] {
    for (uint64_t i = 0; i < kBatches; ++i) {
      teller.ExecuteBatch(batch, kNever, [&](BatchReply) { ++answered; });
    }
  });
  if (answered != 3 * kSingles + kBatches) std::printf("answers are missing\n");
}

}  // namespace
}  // namespace bank::teller

int main() {
  bank::teller::Run();
  return 0;
}
