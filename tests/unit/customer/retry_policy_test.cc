// Goal: certain and unknown are never mixed up. Method: one row per sequence of what calls said,
// with what the operation must come to. Each call takes 1 s; patience is 10 s, 5 s for lookups.
#include "customer/client/retry_policy.h"

#include <grpcpp/support/status.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "customer/client/wire.h"

namespace bank::client {
namespace {

using history::Ending;
using Next = RetryPolicy::Next;

// One letter per call. Replies: o first outcome, l lost key, t try later, n not applied.
// Without a reply: N certainly not applied, R rejected, D denied, U unknown.
struct Say {
  CallFate fate;
  ReplyKind reply;
};
Say Spell(char letter) {
  switch (letter) {
    case 'o':
      return {CallFate::kReplied, ReplyKind::kFinal};
    case 'l':
      return {CallFate::kReplied, ReplyKind::kLostKey};
    case 't':
      return {CallFate::kReplied, ReplyKind::kTryLater};
    case 'n':
      return {CallFate::kReplied, ReplyKind::kNotApplied};
    case 'N':
      return {CallFate::kNotApplied, ReplyKind::kFinal};
    case 'R':
      return {CallFate::kRejected, ReplyKind::kFinal};
    case 'D':
      return {CallFate::kDenied, ReplyKind::kFinal};
    default:
      return {CallFate::kUnknown, ReplyKind::kFinal};
  }
}

constexpr RetryPolicy::Kind kWrite{.changes_state = true, .has_key = true};
constexpr RetryPolicy::Kind kKeyless{.changes_state = true, .has_key = false};
constexpr RetryPolicy::Kind kQuery{.changes_state = false, .has_key = false};

// What it comes to, and after how many calls and lookups: "ok 2+0".
std::string Settle(RetryPolicy::Kind kind, const std::string& says) {
  constexpr int64_t kSecond = 1'000'000'000;
  RetryPolicy retry_policy({.operation_ns_max = 10 * kSecond, .lookup_ns_max = 5 * kSecond}, kind,
                           0);
  int64_t now = 0;
  int calls = 0, lookups = 0;
  Next next = Next::kCall;
  for (size_t i = 0; next != Next::kSettled; ++i) {
    const Say say = Spell(says[std::min(i, says.size() - 1)]);  // the last one again and again
    now += kSecond;
    if (next == Next::kCall) {
      ++calls;
      next = retry_policy.OnCall(say.fate, say.reply, now);
    } else {
      ++lookups;
      next = retry_policy.OnLookup(say.fate, say.reply, now);
    }
  }
  const char* name = retry_policy.ending() == Ending::kOk     ? "ok"
                     : retry_policy.ending() == Ending::kFail ? "fail"
                                                              : "info";
  return std::string(name) + " " + std::to_string(calls) + "+" + std::to_string(lookups);
}

TEST(RetryPolicy, Table) {
  const struct {
    RetryPolicy::Kind kind;
    const char* says;
    const char* expected;
  } kRows[] = {
      {kWrite, "o", "ok 1+0"},
      {kWrite, "No", "ok 2+0"},
      {kWrite, "Uo", "ok 2+0"},
      {kWrite, "N", "fail 10+0"},            // every attempt certainly not
      {kWrite, "UN", "info 10+5"},           // one may have been; nobody can be asked
      {kWrite, "UNNNNNNNNNn", "fail 10+1"},  // the bank says so for all time
      {kWrite, "UNNNNNNNNNo", "ok 10+1"},    // it had been applied
      {kWrite, "U", "info 10+5"},
      {kWrite, "UUUUUUUUUUNUo", "ok 10+3"},  // lookups are repeated
      {kWrite, "UUUUUUUUUUl", "info 10+1"},  // the session is gone
      {kWrite, "UUUUUUUUUUD", "info 10+1"},
      {kWrite, "l", "ok 1+0"},  // a refusal, certain
      {kWrite, "Nl", "ok 2+0"},
      {kWrite, "Ul", "info 2+0"},  // an earlier attempt may have been applied
      {kWrite, "n", "fail 1+0"},
      {kWrite, "Un", "fail 2+0"},
      {kWrite, "to", "ok 2+0"},
      {kWrite, "t", "ok 10+0"},  // the window stayed full: a refusal
      {kWrite, "Ut", "info 10+5"},
      {kWrite, "R", "fail 1+0"},
      {kWrite, "URn", "fail 2+1"},
      {kWrite, "URU", "info 2+5"},  // lookups have their own time, from the first one on
      {kWrite, "D", "fail 1+0"},
      {kKeyless, "o", "ok 1+0"},
      {kKeyless, "No", "ok 2+0"},
      {kKeyless, "U", "info 1+0"},  // never sent twice
      {kKeyless, "NU", "info 2+0"},
      {kQuery, "UUo", "ok 3+0"},
      {kQuery, "U", "fail 10+0"},  // nothing changed
      {kQuery, "R", "fail 1+0"},
  };
  for (const auto& row : kRows) EXPECT_EQ(Settle(row.kind, row.says), row.expected) << row.says;
}

TEST(RetryPolicy, WaitingDoublesUpToItsLimitAndSpreads) {
  RetryPolicy retry_policy({.backoff_ns_min = 100, .backoff_ns_max = 350}, kWrite, 0);
  EXPECT_EQ(retry_policy.WaitNs(0), 0);
  for (int64_t most : {100, 200, 350, 350}) {
    retry_policy.OnCall(CallFate::kNotApplied, ReplyKind::kFinal, 1);
    EXPECT_EQ(retry_policy.WaitNs(0), most);
    for (uint64_t random = 0; random < 1000; random += 7) {
      EXPECT_LE(retry_policy.WaitNs(random), most);
      EXPECT_GE(retry_policy.WaitNs(random), most / 2);
    }
  }
  EXPECT_LE(retry_policy.CallDeadlineNs(1), 30'000'000'000);
  for (int retry = 5; retry < 200; ++retry) {
    retry_policy.OnCall(CallFate::kNotApplied, ReplyKind::kFinal, 1);
    EXPECT_EQ(retry_policy.WaitNs(0), 350) << retry;
  }
}

TEST(Wire, RepliesThatDoNotSettleAnOperation) {
  for (v1::ResultCode code : {v1::UNKNOWN_SESSION, v1::KEY_REUSED, v1::FORGOTTEN}) {
    EXPECT_EQ(KindOf(code), ReplyKind::kLostKey) << code;
  }
  EXPECT_EQ(KindOf(v1::WINDOW_FULL), ReplyKind::kTryLater);
  EXPECT_EQ(KindOf(v1::NOT_APPLIED), ReplyKind::kNotApplied);
  for (v1::ResultCode code : {v1::OK, v1::INSUFFICIENT_FUNDS, v1::OVERFLOW_REFUSED}) {
    EXPECT_EQ(KindOf(code), ReplyKind::kFinal) << code;
  }
}

TEST(Wire, RequestsCarryKeyAndFreshness) {
  v1::Request query;
  FillRequest({.op = history::Op::kQuery,
               .freshness = history::Freshness::kAtLeast,
               .minimum = Position(9)},
              {.session = SessionId(3), .sequence = 4}, 2, &query);
  EXPECT_EQ(query.consistency(), v1::AT_LEAST);
  EXPECT_EQ(query.minimum_position(), 9u);
  EXPECT_EQ(query.session(), 0u) << "queries need no key";
  v1::Request transfer;
  FillRequest({.op = history::Op::kTransfer, .account = "a", .to = "b", .amount = 5},
              {.session = SessionId(3), .sequence = 4}, 2, &transfer);
  EXPECT_EQ(transfer.account(), "a");
  EXPECT_EQ(transfer.to_account(), "b");
  EXPECT_EQ(transfer.session(), 3u);
  EXPECT_EQ(transfer.sequence(), 4u);
  EXPECT_EQ(transfer.answered_below(), 2u);
}

TEST(Wire, CodesThatGrpcMakesItselfAreUnknown) {
  using grpc::StatusCode;
  for (StatusCode code : {StatusCode::UNAVAILABLE, StatusCode::DEADLINE_EXCEEDED,
                          StatusCode::CANCELLED, StatusCode::UNKNOWN, StatusCode::INTERNAL,
                          StatusCode::RESOURCE_EXHAUSTED, StatusCode::DATA_LOSS}) {
    EXPECT_EQ(FateOf(grpc::Status(code, "")), CallFate::kUnknown) << code;
  }
  EXPECT_EQ(FateOf(grpc::Status(StatusCode::FAILED_PRECONDITION, "")), CallFate::kNotApplied);
  EXPECT_EQ(FateOf(grpc::Status(StatusCode::ABORTED, "")), CallFate::kNotApplied);
  EXPECT_EQ(FateOf(grpc::Status(StatusCode::INVALID_ARGUMENT, "")), CallFate::kRejected);
  EXPECT_EQ(FateOf(grpc::Status(StatusCode::PERMISSION_DENIED, "")), CallFate::kDenied);
  EXPECT_EQ(FateOf(grpc::Status::OK), CallFate::kReplied);
}

}  // namespace
}  // namespace bank::client
