// Goal: branches are called equal only when they were seen with equal digests at one entry, and a
// difference is never forgotten.
#include "branch/console/comparison.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace bank::console {
namespace {

using ::testing::HasSubstr;

replication::ReplicatorStatus At(uint64_t index, uint64_t digest,
                                 std::vector<replication::Checkpoint> checkpoints = {}) {
  replication::ReplicatorStatus status;
  status.applied_index = LogIndex(index);
  status.ledger.state_digest = digest;
  if (!checkpoints.empty()) {
    status.checkpoints =
        std::make_shared<const std::vector<replication::Checkpoint>>(std::move(checkpoints));
  }
  return status;
}

Comparison::Branch Live(uint64_t id, const replication::ReplicatorStatus& status) {
  return {.id = BranchId(id), .live = true, .status = &status};
}

TEST(Comparison, EqualAtOneEntry) {
  const auto status = At(10, 0xa);
  const Compared compared =
      Comparison().Compare({Live(1, status), Live(2, status), Live(3, status)});
  EXPECT_EQ(compared.agreement, Agreement::kHolds);
  EXPECT_EQ(compared.detail, "digests equal at entry 10 on branches 1, 2, 3");
}

TEST(Comparison, BranchesThatMoveAreComparedAtACheckpoint) {
  const auto ahead = At(600, 0xc, {{LogIndex(256), 0xa}, {LogIndex(512), 0xb}});
  const auto behind = At(511, 0xd, {{LogIndex(256), 0xa}});
  const Compared compared = Comparison().Compare({Live(1, ahead), Live(2, behind)});
  EXPECT_EQ(compared.agreement, Agreement::kHolds);
  EXPECT_THAT(compared.detail, HasSubstr("entry 256"));
}

TEST(Comparison, BranchesNeverSeenAtOneEntryAreUnknown) {
  const auto one = At(10, 0xa);
  const auto other = At(11, 0xa);
  EXPECT_EQ(Comparison().Compare({Live(1, one), Live(2, other)}).agreement, Agreement::kUnknown);
}

TEST(Comparison, SeenAtDifferentTimesIsEnough) {
  const auto at_ten = At(10, 0xa);
  const auto at_nine = At(9, 0x9);
  Comparison comparison;
  EXPECT_EQ(comparison.Compare({Live(1, at_ten), Live(2, at_nine)}).agreement, Agreement::kUnknown);
  const auto later = At(12, 0xf);
  EXPECT_EQ(comparison.Compare({Live(1, later), Live(2, at_ten)}).agreement, Agreement::kHolds);
}

TEST(Comparison, ADeadBranchMakesItPartial) {
  const auto status = At(10, 0xa);
  const Compared compared = Comparison().Compare(
      {Live(1, status), Live(2, status), {.id = BranchId(3), .live = false, .status = &status}});
  EXPECT_EQ(compared.agreement, Agreement::kPartial);
  EXPECT_EQ(compared.detail, "digests equal at entry 10 on branches 1, 2");
}

TEST(Comparison, ADifferenceStays) {
  const auto good = At(10, 0xa);
  const auto wrong = At(10, 0xb);
  Comparison comparison;
  EXPECT_EQ(comparison.Compare({Live(1, good), Live(2, wrong)}).agreement, Agreement::kBroken);
  const Compared later = comparison.Compare({Live(1, good), Live(2, good)});
  EXPECT_EQ(later.agreement, Agreement::kBroken);
  EXPECT_EQ(later.detail,
            "branches 1 and 2 differ at entry 10: 000000000000000a and 000000000000000b");
}

TEST(Comparison, NobodyAnswers) {
  EXPECT_EQ(Comparison().Compare({{.id = BranchId(1)}}).agreement, Agreement::kUnknown);
}

}  // namespace
}  // namespace bank::console
