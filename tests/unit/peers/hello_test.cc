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
