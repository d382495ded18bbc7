// Goal: each customer is told once when it comes and once when it leaves, and crowds together.
// Method: calls and streams by name, on a clock that the test moves.
#include "branch/rpc/connection_tracker.h"

#include <gtest/gtest.h>

#include "tests/support/test_clock.h"

namespace bank::rpc {
namespace {

class ConnectionTrackerTest : public ::testing::Test {
 protected:
  // What a sweep tells, joined.
  std::string Sweep() {
    told_.clear();
    connection_tracker_.Sweep();
    return told_;
  }

  TestClock clock_;
  std::string told_;
  ConnectionTracker connection_tracker_{
      {.visitors_max = 10}, clock_, [this](const std::string& line) { told_ += line + ";"; }};
};

TEST_F(ConnectionTrackerTest, CallerIsThereUntilItIsSilentForLong) {
  connection_tracker_.NoteCall("ipv4:127.0.0.1:1");
  connection_tracker_.NoteCall("ipv4:127.0.0.1:1");
  EXPECT_EQ(Sweep(), "customer 127.0.0.1:1 connected;");
  clock_.now_ns += 29'000'000'000;
  connection_tracker_.NoteCall("ipv4:127.0.0.1:1");
  clock_.now_ns += 29'000'000'000;
  EXPECT_EQ(Sweep(), "");
  clock_.now_ns += 2'000'000'000;
  EXPECT_EQ(Sweep(), "customer 127.0.0.1:1 left;");
  EXPECT_EQ(Sweep(), "");
}

TEST_F(ConnectionTrackerTest, StreamingCustomerIsThereWhileAStreamIsOpen) {
  connection_tracker_.NoteOpened("ipv6:%5B::1%5D:7");
  connection_tracker_.NoteOpened("ipv6:%5B::1%5D:7");
  EXPECT_EQ(Sweep(), "customer [::1]:7 connected;");
  connection_tracker_.NoteClosed("ipv6:%5B::1%5D:7");
  clock_.now_ns += 90'000'000'000;
  EXPECT_EQ(Sweep(), "");
  connection_tracker_.NoteClosed("ipv6:%5B::1%5D:7");
  EXPECT_EQ(Sweep(), "customer [::1]:7 left;");
  connection_tracker_.NoteClosed("ipv6:%5B::1%5D:7");
}

TEST_F(ConnectionTrackerTest, CrowdIsToldTogetherAndBounded) {
  for (int i = 0; i < 20; ++i) connection_tracker_.NoteCall("p" + std::to_string(i));
  EXPECT_EQ(Sweep(), "10 customers connected, p0 among them;");
}

}  // namespace
}  // namespace bank::rpc
