// Goal: what branches say is compared where both have applied the same entries, never merely at the
// same position: an entry of retries changes a ledger's sessions and takes no position.
#include "bankctl/ledger_agreement.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace bank::bankctl {
namespace {

using ::testing::HasSubstr;

v1::BranchStatus At(uint32_t branch, uint64_t position, uint64_t applied, const std::string& state,
                    const std::string& history = "00000000000000f0") {
  v1::BranchStatus status;
  status.set_branch(branch);
  status.set_position(position);
  status.set_applied_index(applied);
  status.set_state_digest(state);
  status.set_history_digest(history);
  return status;
}

TEST(LedgerAgreement, ATrailingEntryOfRetriesIsNoDifference) {
  LedgerAgreement agreement;
  agreement.Note(At(1, 70, 12, "00000000000000aa", "00000000000000f1"));
  agreement.Note(At(2, 70, 11, "00000000000000bb", "00000000000000f2"));
  EXPECT_FALSE(agreement.difference().has_value());
  EXPECT_EQ(agreement.Judge({BranchId(1), BranchId(2)}, 2).state, AgreementState::kUnknown);
  agreement.Note(At(2, 70, 12, "00000000000000aa", "00000000000000f1"));
  EXPECT_EQ(agreement.Judge({BranchId(1), BranchId(2)}, 2).state, AgreementState::kHolds);
}

TEST(LedgerAgreement, DifferentStatesAfterTheSameEntriesAre) {
  LedgerAgreement agreement;
  agreement.Note(At(1, 70, 12, "00000000000000aa"));
  agreement.Note(At(2, 70, 12, "00000000000000bb"));
  ASSERT_TRUE(agreement.difference().has_value());
  EXPECT_THAT(agreement.difference()->Text(), HasSubstr("differ at entry 12"));
}

TEST(LedgerAgreement, DifferentHistoriesAfterTheSameEntriesAre) {
  LedgerAgreement agreement;
  agreement.Note(At(1, 70, 12, "00000000000000aa", "00000000000000f1"));
  agreement.Note(At(2, 70, 12, "00000000000000aa", "00000000000000f2"));
  ASSERT_TRUE(agreement.difference().has_value());
  EXPECT_THAT(agreement.difference()->Text(), HasSubstr("00000000000000f1"));
}

TEST(LedgerAgreement, ACheckpointIsHeldAgainstAnotherBranchsNewestEntry) {
  LedgerAgreement agreement;
  v1::BranchStatus ahead = At(1, 900, 300, "00000000000000aa");
  v1::BranchStatus::Checkpoint* checkpoint = ahead.add_checkpoints();
  checkpoint->set_applied_index(256);
  checkpoint->set_state_digest(0xcc);
  agreement.Note(ahead);
  agreement.Note(At(2, 800, 256, "00000000000000cc"));
  EXPECT_EQ(agreement.Judge({BranchId(1), BranchId(2)}, 2).state, AgreementState::kHolds);
  agreement.Note(At(3, 800, 256, "00000000000000dd"));
  EXPECT_TRUE(agreement.difference().has_value());
}

}  // namespace
}  // namespace bank::bankctl
