// Goal: streams of strangers are refused, and of one sender's streams only the newest counts.
// Method: tables.
#include "branch/peers/hello.h"

#include <gtest/gtest.h>

#include "branch/peers/connection_numbers.h"
#include "branch/peers/sender_table.h"

namespace bank::peers {
namespace {

TEST(Hello, OnlyFromTheSameBankToThisBranch) {
  const BranchId self(1);
  EXPECT_TRUE(CheckHello(MakeHello(7, BranchId(2), self, 1), 7, self).ok());
  EXPECT_FALSE(CheckHello(MakeHello(8, BranchId(2), self, 1), 7, self).ok());
  EXPECT_FALSE(CheckHello(MakeHello(7, BranchId(2), BranchId(3), 1), 7, self).ok());
  EXPECT_FALSE(CheckHello(MakeHello(7, BranchId(0), self, 1), 7, self).ok());
  EXPECT_FALSE(CheckHello(MakeHello(7, self, self, 1), 7, self).ok());
  v1::Hello other_protocol = MakeHello(7, BranchId(2), self, 1);
  other_protocol.set_protocol(kProtocol + 1);
  EXPECT_FALSE(CheckHello(other_protocol, 7, self).ok());
  EXPECT_FALSE(CheckHello(v1::Hello(), 7, self).ok());
}

TEST(Hello, ConnectionNumbersHaveARange) {
  const BranchId self(1);
  const auto hello = [&](uint64_t connection) {
    return CheckHello(MakeHello(7, BranchId(2), self, connection), 7, self);
  };
  EXPECT_TRUE(hello(ConnectionNumber(0, 1)).ok());
  EXPECT_TRUE(hello(ConnectionNumber(UINT32_MAX, kConnectionCounterMax)).ok());
  for (const uint64_t bad : {uint64_t{0}, ConnectionNumber(5, 0), UINT64_MAX,
                             ConnectionNumber(5, kConnectionCounterMax + 1)}) {
    EXPECT_TRUE(absl::IsInvalidArgument(hello(bad))) << bad;
    EXPECT_FALSE(ConnectionOrder().Admit(bad)) << bad;
  }
}

TEST(Hello, AProcessWhoseNumbersRunOutGoesOnUnderAnother) {
  ConnectionNumbers numbers(ConnectionNumber(5, kConnectionCounterMax));
  ConnectionOrder order;
  for (int i = 0; i < 4; ++i) EXPECT_TRUE(order.Admit(numbers.Next())) << i;
}

// A stranger learns nothing of this bank: not its number, nor who is at this address, nor who else
// there is.
TEST(Hello, ARefusalTellsTheCallerNothing) {
  const uint64_t bank = 0x0123456789abcdef;
  const BranchId self(37);
  const absl::Status of_another_bank = CheckHello(MakeHello(8, BranchId(41), self, 1), bank, self);
  const absl::Status to_another =
      CheckHello(MakeHello(bank, BranchId(41), BranchId(3), 1), bank, self);
  const absl::Status unknown = SenderTable({BranchId(2)}).CheckKnown(BranchId(41));
  EXPECT_NE(of_another_bank.message().find("0123456789abcdef"), std::string::npos) << "for the log";
  for (const absl::Status& refusal : {of_another_bank, to_another, unknown}) {
    const absl::Status told = ToldToCaller(refusal);
    EXPECT_EQ(told, ToldToCaller(unknown));
    for (const char* secret : {"0123456789abcdef", "81985529216486895", "37"}) {
      EXPECT_EQ(told.message().find(secret), std::string::npos) << told;
    }
  }
}

TEST(ConnectionOrder, NewerOfOneProcess) {
  ConnectionOrder order;
  EXPECT_TRUE(order.Admit(ConnectionNumber(5, 1)));
  EXPECT_FALSE(order.Admit(ConnectionNumber(5, 1)));
  EXPECT_TRUE(order.Admit(ConnectionNumber(5, 3)));
  EXPECT_FALSE(order.Admit(ConnectionNumber(5, 2)));
  EXPECT_EQ(order.current(), ConnectionNumber(5, 3));
}

TEST(ConnectionOrder, ARestartedProcessReplacesTheOldOneForGood) {
  ConnectionOrder order;
  EXPECT_TRUE(order.Admit(ConnectionNumber(9, 50)));
  EXPECT_TRUE(order.Admit(ConnectionNumber(2, 1)));
  EXPECT_FALSE(order.Admit(ConnectionNumber(9, 51)));
  EXPECT_TRUE(order.Admit(ConnectionNumber(2, 2)));
  EXPECT_FALSE(order.Admit(0));
}

TEST(ConnectionOrder, ManyRestartsAreRememberedAndTheOldestOfThemForgotten) {
  ConnectionOrder order;
  for (uint32_t incarnation = 1; incarnation <= 1025; ++incarnation) {
    EXPECT_TRUE(order.Admit(ConnectionNumber(incarnation, 1)));
  }
  for (uint32_t incarnation = 1; incarnation <= 1024; ++incarnation) {
    EXPECT_FALSE(order.Admit(ConnectionNumber(incarnation, 2)));
  }
  EXPECT_TRUE(order.Admit(ConnectionNumber(1026, 1)));
  EXPECT_FALSE(order.Admit(ConnectionNumber(1024, 2)));
}

TEST(ConnectionNumbers, GrowWithinAnIncarnation) {
  ConnectionNumbers numbers;
  const uint64_t first = numbers.Next();
  EXPECT_EQ(numbers.Next(), first + 1);
  EXPECT_EQ(IncarnationOf(numbers.Next()), IncarnationOf(first));
}

// Several streams are refused at once, and one new incarnation is enough for all of them.
TEST(ConnectionNumbers, WhoWasFollowedDrawsOneNewIncarnation) {
  ConnectionNumbers numbers;
  const uint64_t first = numbers.Next(), second = numbers.Next();
  numbers.OnFollowed(first);
  const uint64_t third = numbers.Next();
  EXPECT_NE(IncarnationOf(third), IncarnationOf(first));
  numbers.OnFollowed(second);
  EXPECT_EQ(IncarnationOf(numbers.Next()), IncarnationOf(third));
  ConnectionOrder order;
  EXPECT_TRUE(order.Admit(second));
  EXPECT_TRUE(order.Admit(ConnectionNumber(IncarnationOf(first) + 1, 7)));  // another process
  EXPECT_TRUE(order.Admit(third));
  EXPECT_FALSE(order.Admit(second + 1));  // what is left of the old incarnation
}

TEST(SenderTable, OneSnapshotOfTheNewestStreamAtATime) {
  SenderTable table({BranchId(2)});
  EXPECT_EQ(table.BeginSnapshot(BranchId(2), 0x100000001), 0u);
  EXPECT_EQ(table.BeginSnapshot(BranchId(3), 0x100000001), 0u);
  EXPECT_TRUE(table.Admit(BranchId(2), 0x100000001).ok());
  const uint64_t first = table.BeginSnapshot(BranchId(2), 0x100000001);
  EXPECT_TRUE(table.IsArriving(BranchId(2), first));
  const uint64_t second = table.BeginSnapshot(BranchId(2), 0x100000001);
  EXPECT_FALSE(table.IsArriving(BranchId(2), first));
  EXPECT_TRUE(table.IsArriving(BranchId(2), second));
}

TEST(SenderTable, DeliversFromTheNewestStreamOnly) {
  SenderTable table({BranchId(2)});
  int delivered = 0;
  const auto deliver = [&] { ++delivered; };
  EXPECT_FALSE(table.Deliver(BranchId(2), 0x100000001, deliver));
  EXPECT_TRUE(table.Admit(BranchId(2), 0x100000001).ok());
  EXPECT_TRUE(table.Deliver(BranchId(2), 0x100000001, deliver));
  EXPECT_TRUE(table.Admit(BranchId(2), 0x100000002).ok());
  EXPECT_FALSE(table.Deliver(BranchId(2), 0x100000001, deliver));
  EXPECT_TRUE(table.Deliver(BranchId(2), 0x100000002, deliver));
  EXPECT_EQ(delivered, 2);
  EXPECT_TRUE(absl::IsAborted(table.Admit(BranchId(2), 0x100000001)));
  EXPECT_TRUE(absl::IsPermissionDenied(table.Admit(BranchId(3), 1)));
  EXPECT_FALSE(table.Deliver(BranchId(3), 1, deliver));
}

}  // namespace
}  // namespace bank::peers
