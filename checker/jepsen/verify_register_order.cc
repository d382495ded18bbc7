#include "checker/jepsen/verify_register_order.h"

#include <algorithm>
#include <limits>
#include <map>

namespace bank::checker {

bool Explains(const std::vector<Step>& steps, Wide initial, const std::vector<size_t>& order) {
  std::map<size_t, const Step*> left;  // by event
  for (const Step& step : steps) left[step.event] = &step;
  int64_t newest_begin = std::numeric_limits<int64_t>::min();
  Wide value = initial;
  for (size_t event : order) {
    const auto found = left.find(event);
    if (found == left.end()) return false;
    const Step& step = *found->second;
    if (step.over < newest_begin) return false;
    newest_begin = std::max(newest_begin, step.invoke);
    if (step.kind != Step::Kind::kWrite && step.first != value) return false;
    if (step.kind == Step::Kind::kWrite) value = step.first;
    if (step.kind == Step::Kind::kCas) value = step.second;
    left.erase(found);
  }
  return std::all_of(left.begin(), left.end(),
                     [](const auto& entry) { return entry.second->is_optional(); });
}

}  // namespace bank::checker
