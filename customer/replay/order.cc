#include "customer/replay/order.h"

#include <algorithm>

namespace bank::replay {
namespace {

size_t Count(const std::vector<Stage>& stages, Stage stage) {
  return static_cast<size_t>(std::count(stages.begin(), stages.end(), stage));
}

std::vector<size_t> All(size_t count) {
  std::vector<size_t> numbers(count);
  for (size_t i = 0; i < count; ++i) numbers[i] = i;
  return numbers;
}

}  // namespace

std::vector<Share> Divide(size_t entries, OrderLimits limits) {
  const size_t count = entries <= limits.processes_max ? entries : limits.processes_shared;
  std::vector<Share> shares;
  for (size_t i = 0; i < count; ++i) {
    shares.push_back({entries * i / count, entries * (i + 1) / count - 1});
  }
  return shares;
}

std::vector<size_t> ToStart(Order order, const std::vector<Stage>& stages, OrderLimits limits) {
  std::vector<size_t> start;
  const size_t starting = Count(stages, Stage::kStarting);
  const size_t held = starting + Count(stages, Stage::kReady);
  for (size_t i = 0; i < stages.size(); ++i) {
    if (stages[i] != Stage::kNotStarted) continue;
    if (starting + start.size() >= limits.starting_max) break;
    if (order == Order::kSequential && held + start.size() >= limits.ahead_max) break;
    start.push_back(i);
  }
  return start;
}

std::vector<size_t> ToRelease(Order order, const std::vector<Stage>& stages) {
  if (order == Order::kSequential) {
    const auto next = std::find_if(stages.begin(), stages.end(),
                                   [](Stage stage) { return stage != Stage::kDone; });
    if (next == stages.end() || *next != Stage::kReady) return {};
    return {static_cast<size_t>(next - stages.begin())};
  }
  for (Stage stage : {Stage::kReady, Stage::kWaiting}) {
    if (!stages.empty() && Count(stages, stage) == stages.size()) return All(stages.size());
  }
  return {};
}

}  // namespace bank::replay
