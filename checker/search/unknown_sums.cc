#include "checker/search/unknown_sums.h"

#include <algorithm>

namespace bank::checker {
namespace {

constexpr size_t kTail = 14;
constexpr size_t kSmall = 3;  // subsets of up to this size are tried first
constexpr size_t kBlocksMax = 2'000;
constexpr uint64_t kStepsMax = 1'000'000;

}  // namespace

UnknownSums::UnknownSums(std::vector<Item> items)
    : items_(std::move(items)),
      reach_up_(items_.size() + 1),
      reach_down_(items_.size() + 1),
      taken_(items_.size()) {
  for (size_t i = items_.size(); i-- > 0;) {
    reach_up_[i] = reach_up_[i + 1] + std::max<Wide>(items_[i].change, 0);
    reach_down_[i] = reach_down_[i + 1] + std::min<Wide>(items_[i].change, 0);
  }
  tail_ = items_.size() <= kTail ? 0 : items_.size() - kTail;
  std::vector<uint64_t> sums = {0};
  for (size_t i = tail_; i < items_.size(); ++i) {
    const size_t before = sums.size();
    for (size_t k = 0; k < before; ++k) {
      sums.push_back(sums[k] + static_cast<uint64_t>(items_[i].change));
    }
  }
  tail_sums_.insert(sums.begin(), sums.end());
}

const UnknownSums::Answer& UnknownSums::For(Wide sum) {
  const std::pair<uint64_t, uint64_t> key = {static_cast<uint64_t>(sum),
                                             static_cast<uint64_t>(sum >> 64)};
  const auto [it, fresh] = answers_.try_emplace(key);
  Answer& answer = it->second;
  if (!fresh) return answer;
  steps_ = 0;
  any_size_ = false;
  for (size_t size = 1; size <= std::min(kSmall, items_.size()); ++size) {
    Choose(0, sum, size, &answer);
  }
  any_size_ = true;
  if (items_.size() > kSmall) Choose(0, sum, SIZE_MAX, &answer);
  return answer;
}

void UnknownSums::Choose(size_t from, Wide rest, size_t size, Answer* answer) {
  if (++steps_ > kStepsMax || answer->blocks.size() >= kBlocksMax) {
    answer->complete = false;
    return;
  }
  const bool enough = any_size_ ? chosen_.size() > kSmall : size == 0;
  if (rest == 0 && enough && !(any_size_ && from != items_.size())) {
    answer->blocks.push_back(chosen_);
    return;
  }
  if (from == items_.size() || size == 0) return;
  if (rest > reach_up_[from] || rest < reach_down_[from]) return;
  if (from >= tail_ && from == tail_ && !tail_sums_.contains(static_cast<uint64_t>(rest))) return;
  const bool in_order =
      from == 0 || items_[from - 1].content != items_[from].content || taken_[from - 1];
  if (in_order) {
    taken_[from] = true;
    chosen_.push_back(items_[from].number);
    Choose(from + 1, rest - items_[from].change, any_size_ ? size : size - 1, answer);
    chosen_.pop_back();
    taken_[from] = false;
  }
  Choose(from + 1, rest, size, answer);
}

}  // namespace bank::checker
