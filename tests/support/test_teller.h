// A teller over a bank in memory, and calls that count their answers.
#pragma once

#include <gtest/gtest.h>

#include <deque>
#include <string>
#include <vector>

#include "absl/synchronization/notification.h"
#include "branch/teller/teller.h"
#include "tests/support/memory_replicator.h"
#include "tests/support/seeded_entropy.h"

namespace bank::teller {

class TellerFixture : public testing::Test {
 protected:
  using Code = ledger::Code;
  using Kind = ledger::Kind;
  using Mode = replication::MemoryBank::Mode;
  using Outcome = ledger::Outcome;

  static ledger::Limits SmallLimits() {
    ledger::Limits limits;
    limits.session_window_max = 8;
    limits.sessions_max = 2;
    return limits;
  }

  template <class Reply>
  struct Call {
    int answers = 0;
    absl::Notification answered;
    Reply reply;

    auto Callback() {
      return [this](Reply given) {
        ++answers;
        reply = std::move(given);
        if (answers == 1) answered.Notify();
      };
    }
    bool done() const { return answered.HasBeenNotified(); }
    const Reply& Await() {
      answered.WaitForNotification();
      return reply;
    }
  };

  int64_t In(int64_t ms) const { return clock_.NowNs() + ms * 1'000'000; }
  static constexpr int64_t kLongMs = 10'000;

  Call<TellerReply>& Begin(const Operation& operation, int64_t ms = kLongMs) {
    Call<TellerReply>& call = calls_.emplace_back();
    teller_.Execute(operation, In(ms), call.Callback());
    return call;
  }
  TellerReply Do(const Operation& operation, int64_t ms = kLongMs) {
    return Begin(operation, ms).Await();
  }
  Call<BatchReply>& BeginBatch(const Batch& batch, int64_t ms = kLongMs) {
    Call<BatchReply>& call = batch_calls_.emplace_back();
    teller_.ExecuteBatch(batch, In(ms), call.Callback());
    return call;
  }
  TellerReply OpenSession(SessionOwner owner = SessionOwner(1)) {
    Call<TellerReply>& call = calls_.emplace_back();
    teller_.OpenSession(owner, In(kLongMs), call.Callback());
    return call.Await();
  }
  TellerReply Lookup(SessionId session, uint64_t sequence) {
    Call<TellerReply>& call = calls_.emplace_back();
    teller_.Lookup(session, sequence, In(kLongMs), call.Callback());
    return call.Await();
  }
  static Operation Deposit(int64_t amount) { return {.kind = Kind::kDeposit, .amount = amount}; }
  int64_t Balance() { return bank_.branch(0).Query(ledger::kSharedAccount).balance; }

  void TearDown() override {
    for (const auto& call : calls_) EXPECT_EQ(call.answers, 1);
    for (const auto& call : batch_calls_) EXPECT_EQ(call.answers, 1);
  }

  SteadyClock clock_;
  SeededEntropy entropy_;
  std::deque<Call<TellerReply>> calls_;
  std::deque<Call<BatchReply>> batch_calls_;
  replication::MemoryBank bank_{clock_, 3, 400, SmallLimits()};
  Teller teller_{
      {.session_window_max = SmallLimits().session_window_max, .waiting_operations_max = 12},
      bank_.branch(1),
      clock_,
      entropy_};
};

}  // namespace bank::teller
