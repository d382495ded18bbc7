// Goal: whoever opens a session is known by certificate, else by connection, and may open so many.
#include "branch/rpc/openings.h"

#include <gtest/gtest.h>

#include <string>

#include "tests/support/seeded_entropy.h"
#include "tests/support/test_clock.h"

namespace bank::rpc {
namespace {

class OpeningsTest : public ::testing::Test {
 protected:
  SessionOwner OwnerOf(std::string_view certificate, std::string_view connection) const {
    return openings_.OpenerOf(certificate, connection).owner;
  }
  bool Open(uint64_t connection) {
    return openings_.Admit(openings_.OpenerOf("", std::to_string(connection)));
  }

  TestClock clock_{1'000};
  SeededEntropy entropy_;
  Openings openings_{{.connection_max = 3, .certificate_max = 4, .span_ns = 100, .owners_max = 5},
                     BranchId(1),
                     clock_,
                     entropy_};
};

TEST_F(OpeningsTest, AnOwnerIsACertificateOrElseAConnection) {
  const SessionOwner one = OwnerOf("", "ipv4:127.0.0.1:1000");
  EXPECT_EQ(OwnerOf("", "ipv4:127.0.0.1:1000"), one);
  EXPECT_NE(OwnerOf("", "ipv4:127.0.0.1:1001"), one);
  const SessionOwner alice = OwnerOf("alice", "ipv4:127.0.0.1:1000");
  EXPECT_NE(alice, one);
  EXPECT_EQ(OwnerOf("alice", "ipv4:127.0.0.1:1001"), alice);
  EXPECT_NE(OwnerOf("bob", "ipv4:127.0.0.1:1000"), alice);

  // Another branch, or the same one after a restart.
  Openings other({}, BranchId(2), clock_, entropy_);
  EXPECT_EQ(other.OpenerOf("alice", "").owner, alice);
  EXPECT_NE(other.OpenerOf("", "ipv4:127.0.0.1:1000").owner, one);
}

TEST_F(OpeningsTest, EachMayOpenSoManyInASpan) {
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(Open(1));
  EXPECT_FALSE(Open(1));
  EXPECT_TRUE(Open(2));
  clock_.now_ns += 99;
  EXPECT_FALSE(Open(1));
  clock_.now_ns += 1;
  EXPECT_TRUE(Open(1));
}

TEST_F(OpeningsTest, ACertificateMayOpenMoreThanAConnectionOverHoweverManyOfThese) {
  for (int i = 0; i < 5; ++i) {
    EXPECT_EQ(openings_.Admit(openings_.OpenerOf("alice", std::to_string(i))), i < 4);
  }
}

TEST_F(OpeningsTest, OnlySoManyOwnersAreRemembered) {
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(Open(1));
  for (uint64_t owner = 2; owner <= 5; ++owner) EXPECT_TRUE(Open(owner));
  EXPECT_FALSE(Open(1)) << "five fit";
  EXPECT_TRUE(Open(6));
  EXPECT_TRUE(Open(1)) << "the oldest was forgotten";
}

}  // namespace
}  // namespace bank::rpc
