// CountedEnd: what the operations of a history without positions add up to, whatever their order
// was, to be compared with what branches say.
#pragma once

#include "absl/status/statusor.h"
#include "checker/certificate/expected_state.h"
#include "checker/history_passes.h"
#include "checker/model/budget.h"

namespace bank::checker {

class CountedEnd {
 public:
  struct Options {
    bool has_others = false;  // the bank has accounts that nobody names
    bool foreign_writers = false;
    Wide taken = 0;  // what unknown operations added in the order that was found
  };

  // `names` and `passes`, which have settled, are borrowed.
  CountedEnd(const AccountNames& names, const Options& options, const Budget& budget,
             HistoryPasses* passes)
      : names_(names), options_(options), budget_(budget), passes_(passes) {}

  // `newest`: the newest position that was answered. What is returned refers to this. Errors are
  // those of HistoryPasses.
  absl::StatusOr<ExpectedState> Count(uint64_t newest);

 private:
  absl::StatusOr<ExpectedState::May> MayBe(Wide change, uint64_t room);

  const AccountNames& names_;
  const Options options_;
  const Budget budget_;
  HistoryPasses* passes_;
};

}  // namespace bank::checker
