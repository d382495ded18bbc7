// Goal: branches are called equal only when they were seen with equal digests at one entry, a
// difference is never forgotten, and nothing is called different that was seen at two entries.
#include "common/agreement.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace bank {
namespace {

using ::testing::HasSubstr;

constexpr BranchId k1(1), k2(2), k3(3);

TEST(Agreement, EqualAtOneEntry) {
  Agreement agreement;
  for (const BranchId branch : {k1, k2, k3}) agreement.Note(branch, LogIndex(10), "a");
  const Agreement::Verdict verdict = agreement.Judge({k1, k2, k3}, 3);
  EXPECT_EQ(verdict.state, AgreementState::kHolds);
  EXPECT_EQ(verdict.applied, LogIndex(10));
  EXPECT_EQ(verdict.detail, "digests equal at entry 10 on branches 1, 2, 3");
}

TEST(Agreement, TheNewestCommonEntryCounts) {
  Agreement agreement;
  for (const auto& [entry, digest] : {std::pair(256, "a"), {512, "b"}, {600, "c"}}) {
    agreement.Note(k1, LogIndex(entry), digest);
  }
  for (const auto& [entry, digest] : {std::pair(256, "a"), {511, "d"}}) {
    agreement.Note(k2, LogIndex(entry), digest);
  }
  const Agreement::Verdict verdict = agreement.Judge({k1, k2}, 2);
  EXPECT_EQ(verdict.state, AgreementState::kHolds);
  EXPECT_EQ(verdict.applied, LogIndex(256));
}

TEST(Agreement, BranchesNeverSeenAtOneEntryAreUnknown) {
  Agreement agreement;
  agreement.Note(k1, LogIndex(10), "a");
  agreement.Note(k2, LogIndex(11), "b");
  EXPECT_EQ(agreement.Judge({k1, k2}, 2).state, AgreementState::kUnknown);
  EXPECT_FALSE(agreement.difference().has_value());
}

TEST(Agreement, SeenAtDifferentTimesIsEnough) {
  Agreement agreement;
  agreement.Note(k1, LogIndex(10), "a");
  agreement.Note(k2, LogIndex(9), "9");
  EXPECT_EQ(agreement.Judge({k1, k2}, 2).state, AgreementState::kUnknown);
  agreement.Note(k1, LogIndex(12), "f");
  agreement.Note(k2, LogIndex(10), "a");
  EXPECT_EQ(agreement.Judge({k1, k2}, 2).state, AgreementState::kHolds);
}

TEST(Agreement, ABranchThatIsAwayMakesItPartial) {
  Agreement agreement;
  for (const BranchId branch : {k1, k2, k3}) agreement.Note(branch, LogIndex(10), "a");
  const Agreement::Verdict verdict = agreement.Judge({k1, k2}, 3);
  EXPECT_EQ(verdict.state, AgreementState::kPartial);
  EXPECT_EQ(verdict.detail, "digests equal at entry 10 on branches 1, 2");
}

TEST(Agreement, ADifferenceStaysAndNamesWhoHasWhat) {
  Agreement agreement;
  agreement.Note(k1, LogIndex(10), "a");
  agreement.Note(k2, LogIndex(10), "b");
  agreement.Note(k3, LogIndex(10), "a");
  EXPECT_EQ(agreement.Judge({k1, k2, k3}, 3).state, AgreementState::kBroken);
  for (const BranchId branch : {k1, k2, k3}) agreement.Note(branch, LogIndex(11), "c");
  const Agreement::Verdict later = agreement.Judge({k1, k2, k3}, 3);
  EXPECT_EQ(later.state, AgreementState::kBroken);
  EXPECT_EQ(later.applied, LogIndex(10));
  EXPECT_EQ(later.detail, "branch 1 and branch 2 differ at entry 10: a and b");
}

TEST(Agreement, NothingAppliedIsNotCompared) {
  Agreement agreement;
  agreement.Note(k1, LogIndex(0), "a");
  agreement.Note(k2, LogIndex(0), "b");
  EXPECT_EQ(agreement.Judge({k1, k2}, 2).state, AgreementState::kUnknown);
}

TEST(Agreement, TheOldestEntriesAreForgotten) {
  Agreement agreement(2);
  for (uint64_t entry = 1; entry <= 3; ++entry) agreement.Note(k1, LogIndex(entry), "a");
  agreement.Note(k2, LogIndex(1), "b");  // older than all that is remembered
  EXPECT_FALSE(agreement.difference().has_value());
  agreement.Note(k2, LogIndex(2), "b");
  ASSERT_TRUE(agreement.difference().has_value());
  EXPECT_EQ(agreement.difference()->applied, LogIndex(2));
}

TEST(Agreement, NobodyAnswers) {
  const Agreement::Verdict verdict = Agreement().Judge({}, 3);
  EXPECT_EQ(verdict.state, AgreementState::kUnknown);
  EXPECT_THAT(verdict.detail, HasSubstr("no branch answers"));
}

}  // namespace
}  // namespace bank
