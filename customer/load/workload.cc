#include "customer/load/workload.h"

#include <numeric>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/decimal.h"

namespace bank::load {

using history::Op;

absl::StatusOr<Mix> ParseMix(std::string_view text) {
  constexpr uint32_t kWeightMax = 1'000'000;
  Mix mix = {};
  for (absl::string_view part : absl::StrSplit(absl::string_view(text.data(), text.size()), ',')) {
    const std::pair<absl::string_view, absl::string_view> pair = absl::StrSplit(part, '=');
    bool known = false;
    for (Op op : {Op::kQuery, Op::kDeposit, Op::kWithdraw, Op::kTransfer}) {
      if (history::OpName(op) != std::string_view(pair.first.data(), pair.first.size())) continue;
      const auto weight = ParseDecimal<uint32_t>(
          std::string_view(pair.second.data(), pair.second.size()), 0, kWeightMax);
      known = weight.has_value();
      mix[static_cast<size_t>(op)] = weight.value_or(0);
    }
    if (!known) {
      return absl::InvalidArgumentError(
          absl::StrCat("'", part, "' is not query, deposit, withdraw or transfer with =WEIGHT"));
    }
  }
  if (std::accumulate(mix.begin(), mix.end(), 0U) == 0) {
    return absl::InvalidArgumentError("all weights are zero");
  }
  return mix;
}

std::optional<history::Operation> Opening::Next() {
  if (next_ == accounts_.size()) return std::nullopt;
  return history::Operation{.op = Op::kOpen, .account = accounts_[next_++], .amount = balance_};
}

Mixed::Mixed(const std::vector<std::string>& accounts, const Options& options)
    : accounts_(accounts), options_(options), random_(options.seed) {
  weight_sum_ = std::accumulate(options_.mix.begin(), options_.mix.end(), 0U);
}

Op Mixed::Draw() {
  uint64_t point = Below(weight_sum_);
  size_t op = 0;
  while (point >= options_.mix[op]) point -= options_.mix[op++];
  return static_cast<Op>(op);
}

std::optional<history::Operation> Mixed::Next() {
  if (done_ == options_.operations_max) return std::nullopt;
  ++done_;
  history::Operation operation;
  operation.op = Draw();
  const uint64_t account = Below(accounts_.size());
  operation.account = accounts_[account];
  if (operation.op == Op::kTransfer) {
    // Another one; of a single account: itself, which the bank refuses.
    const uint64_t step = accounts_.size() == 1 ? 0 : 1 + Below(accounts_.size() - 1);
    operation.to = accounts_[(account + step) % accounts_.size()];
  }
  if (operation.op != Op::kQuery) {
    operation.amount = 1 + static_cast<int64_t>(Below(static_cast<uint64_t>(options_.amount_max)));
  }
  return operation;
}

}  // namespace bank::load
