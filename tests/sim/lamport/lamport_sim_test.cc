// The whole bank by logical clocks, under seeds. Each fact is checked from outside: by what
// customers were told, and by the ledgers that are left.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>
#include <vector>

#include "tests/sim/lamport/bank.h"

namespace bank::sim {
namespace {

using ledger::Code;
using ledger::Kind;
using replication::lamport::ClockEvent;

void ExpectOneBank(LamportBank& bank) {
  const ledger::Summary summary = bank.core(0).ledger().summary();
  for (size_t i = 1; i < bank.size(); ++i) {
    const ledger::Summary other = bank.core(i).ledger().summary();
    EXPECT_EQ(other.position, summary.position);
    EXPECT_EQ(other.state_digest, summary.state_digest) << "branch " << i + 1;
    EXPECT_EQ(other.history_digest, summary.history_digest) << "branch " << i + 1;
  }
}

// What was answered stands at one place each, in the order of time and of stamps.
void ExpectOneOrder(const LamportBank& bank) {
  std::map<uint64_t, const LamportWrite*> by_position;
  for (const LamportWrite& write : bank.writes()) {
    if (!write.answered || write.outcome.code == Code::kUnknownSession) continue;
    if (write.command.kind == Kind::kOpen || write.command.kind == Kind::kOpenSession) continue;
    EXPECT_TRUE(by_position.emplace(write.outcome.position.value, &write).second)
        << "two writes at position " << write.outcome.position.value;
    EXPECT_GT(write.outcome.position.value, write.answered_before) << "against the order of time";
  }
  const LamportWrite* before = nullptr;
  for (const auto& [position, write] : by_position) {
    if (before != nullptr) {
      EXPECT_LT(before->stamp, write->stamp) << "position " << position;
    }
    before = write;
  }
}

void ExpectMoneyAgrees(LamportBank& bank) {
  int64_t balance = 400;
  const size_t count = bank.writes().size();
  for (size_t i = 0; i < count; ++i) {
    const LamportWrite write = bank.writes()[i];
    if (write.command.kind != Kind::kDeposit && write.command.kind != Kind::kWithdraw) continue;
    const ledger::Outcome resolved =
        bank.Ask(i % bank.size(), {.kind = Kind::kResolve,
                                   .session = write.command.session,
                                   .sequence = write.command.sequence});
    if (write.answered && write.outcome.code != Code::kUnknownSession) {
      EXPECT_EQ(resolved.code, write.outcome.code);
      EXPECT_EQ(resolved.position, write.outcome.position);
    }
    if (resolved.code != Code::kOk) continue;
    balance += write.command.kind == Kind::kDeposit ? write.command.amount : -write.command.amount;
  }
  EXPECT_EQ(bank.core(0).ledger().Query(ledger::kSharedAccount).balance, balance);
}

class LamportSim : public testing::TestWithParam<size_t> {};

TEST_P(LamportSim, LosesNothingAndStaysOneBank) {
  uint64_t kills = 0, losses = 0, reads = 0, answered = 0;
  for (uint64_t seed = 1; seed <= 200; ++seed) {
    SCOPED_TRACE(seed);
    LamportBank bank({.seed = seed, .branches = GetParam()});
    ASSERT_TRUE(bank.Run()) << "it does not come to rest";
    ExpectOneBank(bank);
    ExpectOneOrder(bank);
    EXPECT_EQ(bank.stale_reads(), 0u);
    ExpectMoneyAgrees(bank);
    if (HasFailure()) return;
    kills += bank.kills();
    losses += bank.losses();
    reads += bank.reads();
    answered += static_cast<uint64_t>(
        std::count_if(bank.writes().begin(), bank.writes().end(),
                      [](const LamportWrite& write) { return write.answered; }));
  }
  // Otherwise it has shown nothing.
  EXPECT_GT(kills, 50u);
  EXPECT_GT(losses, 500u);
  EXPECT_GT(reads, 500u);
  EXPECT_GT(answered, 1'000u);
}

INSTANTIATE_TEST_SUITE_P(Sizes, LamportSim, testing::Values(2, 3, 5));

// What the course says of the events, for one run without kills.
void ExpectRightEvents(const LamportBank& bank) {
  using Key = std::pair<uint64_t, uint64_t>;
  std::map<std::tuple<Key, uint64_t, uint64_t>, uint64_t> sent;  // key, from, to: clock
  std::map<Key, int> received, taken;
  for (size_t i = 0; i < bank.size(); ++i) {
    uint64_t clock = 0;
    for (const ClockEvent& event : bank.core(i).events().After(0, 1'000'000)) {
      const Key key{event.session.value, event.sequence};
      if (event.what == ClockEvent::What::kAnsweredByBranch) continue;  // no event of the course
      EXPECT_GT(event.clock, clock);
      // Its customers have no clocks: max(own, 0) + 1, as before each send.
      if (event.what != ClockEvent::What::kReceivedFromBranch) {
        EXPECT_EQ(event.clock, clock + 1);
      }
      clock = event.clock;
      if (event.what == ClockEvent::What::kReceivedFromCustomer) ++taken[key];
      if (event.what == ClockEvent::What::kSentToBranch) {
        EXPECT_TRUE(sent.emplace(std::tuple(key, i + 1, event.partner.value), event.clock).second);
      }
    }
  }
  for (size_t i = 0; i < bank.size(); ++i) {
    uint64_t clock = 0;
    for (const ClockEvent& event : bank.core(i).events().After(0, 1'000'000)) {
      if (event.what == ClockEvent::What::kAnsweredByBranch) continue;
      if (event.what == ClockEvent::What::kReceivedFromBranch) {
        const Key key{event.session.value, event.sequence};
        ++received[key];
        const auto send = sent.find({key, event.partner.value, i + 1});
        ASSERT_NE(send, sent.end()) << "received and not sent";
        EXPECT_EQ(event.clock, std::max(clock, send->second) + 1);
      }
      clock = event.clock;
    }
  }
  size_t events_received = 0;
  for (const auto& [key, count] : received) {
    EXPECT_EQ(count, static_cast<int>(bank.size()) - 1);
    EXPECT_EQ(taken[key], 1);
    events_received += static_cast<size_t>(count);
  }
  EXPECT_EQ(events_received, sent.size());
  for (const LamportWrite& write : bank.writes()) {
    if (write.command.kind != Kind::kDeposit && write.command.kind != Kind::kWithdraw) continue;
    const Key key{write.command.session.value, write.command.sequence};
    EXPECT_EQ(taken[key], 1);
    const bool refused = write.command.kind == Kind::kWithdraw && write.outcome.code != Code::kOk;
    EXPECT_EQ(received.contains(key), !refused);
  }
}

TEST(LamportEvents, AreThoseOfTheCourse) {
  for (uint64_t seed = 1; seed <= 40; ++seed) {
    SCOPED_TRACE(seed);
    LamportBank bank({.seed = seed, .branches = 4, .kills = false});
    ASSERT_TRUE(bank.Run());
    ExpectRightEvents(bank);
    if (HasFailure()) return;
  }
}

}  // namespace
}  // namespace bank::sim
