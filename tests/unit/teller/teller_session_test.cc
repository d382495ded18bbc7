// The branch's own session: opened once for all who wait, never full to a customer's eyes, and
// replaced when it expires.
#include <thread>

#include "tests/support/test_teller.h"

namespace bank::teller {
namespace {

class OwnSessionTest : public TellerFixture {
 protected:
  // Two sessions are all this bank keeps. Those of branches end last: two of another branch's push
  // this one's out.
  void PushOutOwnSession() {
    for (int i = 0; i < 2; ++i) {
      std::string batch;
      ledger::AppendCommand({.kind = Kind::kOpenSession,
                             .session = SessionId(ledger::kBranchSessionsBegin + ++others_)},
                            &batch);
      bank_.branch(2).Propose(batch, 1, In(kLongMs), [](const replication::ProposeResult& result) {
        EXPECT_EQ(result.outcomes.at(0).code, Code::kOk);
      });
    }
  }

 private:
  uint64_t others_ = 0;
};

TEST_F(OwnSessionTest, OneOpeningServesAllWhoWait) {
  bank_.SetMode(Mode::kStalled);
  const uint64_t before = bank_.proposals();
  for (int i = 0; i < 8; ++i) Begin(Deposit(1));
  EXPECT_EQ(bank_.proposals(), before + 1) << "only the opening is under way";
  bank_.SetMode(Mode::kServing);
  for (auto& call : calls_) EXPECT_EQ(call.Await().outcome.code, Code::kOk);
  EXPECT_EQ(bank_.proposals(), before + 9);
  EXPECT_EQ(Balance(), 408);
}

TEST_F(OwnSessionTest, AFullWindowMakesWritesWaitAndTooManyBusy) {
  Do(Deposit(1));
  bank_.SetMode(Mode::kStalled);
  const uint64_t before = bank_.proposals();
  for (int i = 0; i < 8 + 12; ++i) Begin(Deposit(1));
  EXPECT_EQ(bank_.proposals(), before + 8) << "the window's worth is under way, the others wait";
  const TellerReply busy = Do(Deposit(1));
  EXPECT_EQ(busy.fate, Fate::kNotApplied);
  EXPECT_NE(busy.reason.find("busy"), std::string::npos);
  bank_.SetMode(Mode::kServing);
  for (auto& call : calls_) {
    const TellerReply& reply = call.Await();
    EXPECT_TRUE(reply.fate == Fate::kNotApplied || reply.outcome.code == Code::kOk);
  }
  EXPECT_EQ(Balance(), 421);
}

TEST_F(OwnSessionTest, WhoeverWaitsBeyondHisDeadlineIsNotApplied) {
  Do(Deposit(1));
  bank_.SetMode(Mode::kStalled);
  for (int i = 0; i < 8; ++i) Begin(Deposit(1));
  auto& waiting = Begin(Deposit(100), 1);
  const int64_t passed_ns = In(2);
  while (clock_.NowNs() < passed_ns) std::this_thread::yield();
  bank_.SetMode(Mode::kServing);
  EXPECT_EQ(waiting.Await().fate, Fate::kNotApplied);
  EXPECT_EQ(Balance(), 409);
}

TEST_F(OwnSessionTest, AnOpeningThatRunsOutOfTimeLeavesTheOthersTheirs) {
  bank_.SetMode(Mode::kStalled);
  auto& hasty = Begin(Deposit(1), 30);
  auto& patient = Begin(Deposit(10));
  EXPECT_EQ(hasty.Await().fate, Fate::kNotApplied) << "it never had a key";
  EXPECT_EQ(hasty.reply.session, SessionId());
  EXPECT_FALSE(patient.done());
  bank_.SetMode(Mode::kServing);
  EXPECT_EQ(patient.Await().outcome.balance, 410);
}

TEST_F(OwnSessionTest, WhoeverIsRefusedTogetherWithTheOpeningLeavesRoomForOthers) {
  bank_.SetMode(Mode::kRefusing);
  for (int i = 0; i < 12 + 1; ++i) EXPECT_EQ(Do(Deposit(1)).fate, Fate::kNotApplied);
  bank_.SetMode(Mode::kServing);
  EXPECT_EQ(Do(Deposit(1)).fate, Fate::kApplied);
}

TEST_F(OwnSessionTest, CustomersDoNotPushItOut) {
  const SessionId own = Do(Deposit(1)).session;
  for (uint64_t i = 0; i < 20; ++i) OpenSession(SessionOwner(1 + i / 10));
  EXPECT_EQ(Do(Deposit(1)).session, own);
}

TEST_F(OwnSessionTest, AnExpiredSessionIsReplacedUnseen) {
  const TellerReply first = Do(Deposit(1));
  PushOutOwnSession();
  const TellerReply second = Do(Deposit(10));
  EXPECT_EQ(second.fate, Fate::kApplied);
  EXPECT_EQ(second.outcome.code, Code::kOk);
  EXPECT_NE(second.session, first.session);
  EXPECT_EQ(Balance(), 411);

  PushOutOwnSession();
  const std::vector<Kind> kinds = {Kind::kDeposit, Kind::kQuery, Kind::kDeposit};
  const std::vector<int64_t> amounts = {1, 0, 1};
  const Batch batch{.kind = kinds, .amount = amounts};
  const BatchReply& reply = BeginBatch(batch).Await();
  ASSERT_EQ(reply.outcomes.size(), 3u);
  EXPECT_EQ(reply.outcomes[0].balance, 412);
  EXPECT_EQ(reply.outcomes[1].balance, 412);
  EXPECT_EQ(reply.outcomes[2].balance, 413);
}

// Expired with a whole window under way: all of them are repeated, each exactly once.
TEST_F(OwnSessionTest, ExpiryWithManyUnderWay) {
  Do(Deposit(1));
  bank_.SetMode(Mode::kStalled);
  PushOutOwnSession();
  for (int i = 0; i < 8; ++i) Begin(Deposit(1));
  bank_.SetMode(Mode::kServing);
  for (auto& call : calls_) {
    EXPECT_EQ(call.Await().fate, Fate::kApplied) << call.reply.reason;
    EXPECT_EQ(call.reply.outcome.code, Code::kOk);
  }
  EXPECT_EQ(Balance(), 409);
}

TEST_F(OwnSessionTest, ManyThreads) {
  constexpr int kThreads = 4;
  constexpr int kEach = 500;
  std::deque<Call<TellerReply>> calls(kThreads * kEach);
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < kEach; ++i) {
        auto& call = calls[static_cast<size_t>(t * kEach + i)];
        teller_.Execute(Deposit(1), In(kLongMs), call.Callback());
        call.Await();
      }
    });
  }
  for (auto& thread : threads) thread.join();
  for (auto& call : calls) {
    EXPECT_EQ(call.answers, 1);
    EXPECT_EQ(call.reply.outcome.code, Code::kOk) << call.reply.reason;
  }
  EXPECT_EQ(Balance(), 400 + kThreads * kEach);
}

}  // namespace
}  // namespace bank::teller
