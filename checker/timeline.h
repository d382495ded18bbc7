// A history as one HTML page without outside files: a lane for each customer, a bar for each
// operation with the balance after it, the violation marked; zooms and scrolls.
#pragma once

#include <string>
#include <vector>

#include "checker/jepsen/jepsen.h"
#include "checker/judge.h"

namespace bank::checker {

inline constexpr size_t kTimelineOperationsMax = 5'000;

// Keeps the operations a page shall show: those around the violation, or the first ones.
class TimelineWindow {
 public:
  // `judgement` must outlive the window.
  explicit TimelineWindow(const Judgement& judgement);
  void Take(const Operation& op);
  // The page.
  std::string Html() const;

 private:
  const Judgement& judgement_;
  int64_t from_ns_;
  int64_t to_ns_;
  std::vector<Operation> operations_;
  uint64_t left_out_ = 0;
};

// Reads the history again and makes the page.
absl::StatusOr<std::string> Timeline(const Judgement& judgement);

// The page of a Jepsen history. Times are its :time, or the numbers of its events if there is none.
absl::StatusOr<std::string> JepsenTimeline(const JepsenJudgement& judged);

}  // namespace bank::checker
