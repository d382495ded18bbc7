// Shorten: from the steps of a history that nothing explains to a few of them that nothing explains
// either, by delta debugging (Zeller and Hildebrandt 2002). Pure but for the clock of `fails`.
//
// A step has `invoke`, `over` (kNever: it may or may not have happened) and is_read().
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "checker/model/operation.h"

namespace bank::checker {

inline constexpr size_t kMinimizedMax = 200;  // with more steps, not each write is tried

// As if the history ended at `now`.
template <typename Step>
std::vector<Step> StepsUntil(const std::vector<Step>& steps, int64_t now) {
  std::vector<Step> some;
  for (Step step : steps) {
    if (step.invoke > now) continue;
    if (step.over != kNever && step.over > now) {
      if (step.is_read()) continue;
      step.over = kNever;
    }
    some.push_back(std::move(step));
  }
  return some;
}

// As if it had begun at `now`, in a state that nobody knows. Writes that were over by then, but
// overlap one that was not, may still come behind it.
template <typename Step>
std::vector<Step> StepsFrom(const std::vector<Step>& steps, int64_t now) {
  int64_t first = now;
  for (const Step& step : steps) {
    if (step.over >= now && step.over != kNever) first = std::min(first, step.invoke);
  }
  std::vector<Step> some;
  for (Step step : steps) {
    if (step.over < now) {
      if (step.is_read() || step.over < first) continue;
      step.over = kNever;
    }
    some.push_back(std::move(step));
  }
  return some;
}

// Cuts off the end, then the beginning, as far as it fails still; by bisection, as more fails if
// less does.
template <typename Step, typename Fails>
std::vector<Step> CutEnds(std::vector<Step> steps, bool cuts_beginning, const Fails& fails) {
  std::vector<int64_t> ends;
  for (const Step& step : steps) {
    if (step.over != kNever) ends.push_back(step.over);
  }
  if (ends.empty()) return steps;
  std::sort(ends.begin(), ends.end());
  size_t low = 0;
  size_t high = ends.size() - 1;
  while (low < high) {
    const size_t middle = (low + high) / 2;
    if (fails(StepsUntil(steps, ends[middle]))) {
      high = middle;
    } else {
      low = middle + 1;
    }
  }
  steps = StepsUntil(steps, ends[low]);
  if (!cuts_beginning) return steps;
  size_t keeps = 0;       // what is cut off before ends[keeps] is not needed
  size_t fits = low + 1;  // the first end for which it is
  while (keeps + 1 < fits) {
    const size_t middle = (keeps + fits) / 2;
    if (fails(StepsFrom(steps, ends[middle]))) {
      keeps = middle;
    } else {
      fits = middle;
    }
  }
  return keeps == 0 ? steps : StepsFrom(steps, ends[keeps]);
}

// Leaves out reads, many at a time first, as far as it fails still.
template <typename Step, typename Fails>
std::vector<Step> LeaveOutReads(std::vector<Step> steps, const Fails& fails) {
  const auto reads = [&] {
    return static_cast<size_t>(
        std::count_if(steps.begin(), steps.end(), [](const Step& step) { return step.is_read(); }));
  };
  for (size_t chunk = (reads() + 1) / 2; chunk != 0; chunk /= 2) {
    for (size_t from = 0; from < reads();) {
      std::vector<Step> less;
      size_t read = 0;
      for (const Step& step : steps) {
        const bool out = step.is_read() && read >= from && read < from + chunk;
        read += step.is_read() ? 1 : 0;
        if (!out) less.push_back(step);
      }
      if (fails(less)) {
        steps = std::move(less);
      } else {
        from += chunk;
      }
    }
  }
  return steps;
}

// `fails(steps)`: whether it is certain that nothing explains them; true for `steps`. If
// `cuts_beginning`, what was before the first read may be unknown. Those that must be, by their
// end.
template <typename Step, typename Fails>
std::vector<Step> Shorten(const std::vector<Step>& steps, bool cuts_beginning, const Fails& fails) {
  std::vector<Step> shorter = CutEnds(steps, cuts_beginning, fails);
  shorter = CutEnds(LeaveOutReads(std::move(shorter), fails), cuts_beginning, fails);
  // What is left out of the writes may or may not have happened.
  std::vector<Step> reads_only = shorter;
  for (Step& step : reads_only) {
    if (!step.is_read()) step.over = kNever;
  }
  if (fails(reads_only)) shorter = std::move(reads_only);
  for (size_t i = 0; i < shorter.size() && shorter.size() <= kMinimizedMax; ++i) {
    if (shorter[i].over == kNever || shorter[i].is_read()) continue;
    std::vector<Step> less = shorter;
    less[i].over = kNever;
    if (fails(less)) shorter = std::move(less);
  }
  std::erase_if(shorter, [](const Step& step) { return step.over == kNever; });
  std::sort(shorter.begin(), shorter.end(),
            [](const Step& a, const Step& b) { return a.over < b.over; });
  return shorter;
}

}  // namespace bank::checker
