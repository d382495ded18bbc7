#include "checker/certificate/placement.h"

#include <algorithm>
#include <utility>

namespace bank::checker {
namespace {

// What is spent in turn on choices that make up for nothing.
constexpr uint8_t kEfforts[] = {0, 1, 2, 3, 6, StretchSearch::kAllEffort};
constexpr int kDepthMax = 200;  // stretches on an augmenting path

}  // namespace

Placement::Placement(const PlacementProblem& problem, const AccountNames& names,
                     const Budget& budget)
    : problem_(problem),
      budget_(budget),
      supply_(problem, names),
      search_(problem, names, &supply_) {
  ReserveWhatIsForced();
  FindStretches();
}

// The content that alone makes up for what `account` misses, if `gap` has one position and all of
// the interval is in it.
std::optional<uint32_t> Placement::OnlyChoice(uint32_t gap, uint32_t account,
                                              const Interval& interval) const {
  std::optional<uint32_t> only;
  for (uint32_t content : supply_.Changing(account, interval.missing)) {
    const UnknownSupply::Content& c = supply_.at(content);
    if (!supply_.Exists(content, problem_.gaps[gap].return_min)) continue;
    const uint32_t other = c.op.account == account ? c.op.to : c.op.account;
    if (other != kNoAccount) {
      const auto& intervals = problem_.intervals[other];
      const auto at =
          std::upper_bound(intervals.begin(), intervals.end(), gap,
                           [](uint32_t g, const Interval& i) { return g < i.first_gap; });
      const Interval& its = *(at - 1);
      if (its.has_missing && its.first_gap == its.last_gap &&
          its.missing != ChangeOf(c.op, other)) {
        continue;
      }
    }
    if (only || c.key != 0) return std::nullopt;
    only = content;
  }
  return only;
}

void Placement::ReserveWhatIsForced() {
  std::vector<std::pair<uint32_t, uint32_t>> forced;  // gap, content
  for (uint32_t account = 0; account < problem_.intervals.size(); ++account) {
    for (const Interval& interval : problem_.intervals[account]) {
      const uint32_t gap = interval.first_gap;
      if (!interval.has_missing || interval.missing == 0 || interval.last_gap != gap ||
          problem_.gaps[gap].length != 1) {
        continue;
      }
      const std::optional<uint32_t> only = OnlyChoice(gap, account, interval);
      if (only) forced.emplace_back(gap, *only);
    }
  }
  std::sort(forced.begin(), forced.end());
  for (size_t i = 0; i < forced.size(); ++i) {
    if (i > 0 && forced[i].first == forced[i - 1].first) continue;
    supply_.Reserve(forced[i].second, forced[i].first, problem_.gaps[forced[i].first].return_min);
  }
  supply_.SettleReserves();
}

// Between two gaps that one interval covers the choices depend on each other.
void Placement::FindStretches() {
  const auto gaps = static_cast<uint32_t>(problem_.gaps.size());
  if (gaps == 0) return;
  std::vector<int32_t> covered(gaps + 1, 0);
  for (uint32_t account = 0; account < problem_.intervals.size(); ++account) {
    const bool is_idle = supply_.Touching(account).empty();
    for (const Interval& interval : problem_.intervals[account]) {
      if (is_idle && !interval.has_events) continue;  // nothing changes in it
      ++covered[interval.first_gap];
      --covered[interval.last_gap];
    }
  }
  int32_t depth = 0;
  uint32_t first = 0;
  for (uint32_t gap = 0; gap < gaps; ++gap) {
    depth += covered[gap];
    // The bank as a whole is followed through all of them.
    if (gap + 1 < gaps && (depth != 0 || problem_.has_all_events)) continue;
    stretches_.push_back({first, gap});
    first = gap + 1;
  }
}

uint32_t Placement::StretchAt(uint32_t gap) const {
  const auto behind =
      std::upper_bound(stretches_.begin(), stretches_.end(), gap,
                       [](uint32_t g, const Stretch& stretch) { return g < stretch.first; });
  return static_cast<uint32_t>(behind - stretches_.begin() - 1);
}

Placement::Answer Placement::Find(std::optional<Wide> total) {
  total_ = total;
  is_none_ = false;
  changes_.clear();
  for (uint32_t stretch = 0; stretch < solutions_.size(); ++stretch) Use(stretch, {});
  solutions_.assign(stretches_.size(), {});
  if (stretches_.empty()) return Answer::kNone;
  for (uint32_t stretch = 0; stretch < stretches_.size(); ++stretch) {
    const Answer answer = Solve(stretch);
    if (answer != Answer::kFound) return answer;
    changes_.clear();
  }
  return Answer::kFound;
}

// More and more is tried; at each step first with what is left, then with what others use.
Placement::Answer Placement::Solve(uint32_t stretch) {
  for (const uint8_t effort : kEfforts) {
    // Nobody else uses anything.
    if (stretches_.size() == 1 && effort != StretchSearch::kAllEffort) continue;
    const StretchSearch::Answer alone = Search(stretch, effort, false, nullptr);
    if (alone == StretchSearch::Answer::kFound) {
      Use(stretch, search_.placed());
      return Answer::kFound;
    }
    const bool is_short = search_.is_short_elsewhere();
    if (alone == StretchSearch::Answer::kNone && !is_short) return Answer::kNone;
    if (budget_.IsOver()) return Answer::kUnknown;
    if (!is_short) continue;
    Contents kept;
    if (Augment(stretch, effort, 0, &kept)) return Answer::kFound;
    if (is_none_) return Answer::kNone;
    if (budget_.IsOver()) return Answer::kUnknown;
  }
  return Answer::kUnknown;
}

StretchSearch::Answer Placement::Search(uint32_t stretch, uint8_t effort_max, bool borrows,
                                        const Contents* kept) {
  const bool is_last = stretch + 1 == stretches_.size();
  return search_.Find(stretches_[stretch], {.budget = budget_,
                                            .effort_max = effort_max,
                                            .borrows = borrows,
                                            .kept = kept,
                                            .total = is_last ? total_ : std::nullopt});
}

bool Placement::Augment(uint32_t stretch, uint8_t effort_max, int depth, Contents* kept) {
  while (depth < kDepthMax && !budget_.IsOver()) {
    const bool may_take_all = kept->empty();
    const StretchSearch::Answer answer = Search(stretch, effort_max, true, kept);
    if (answer != StretchSearch::Answer::kFound) {
      is_none_ = answer == StretchSearch::Answer::kNone && may_take_all && depth == 0;
      return false;
    }
    const size_t mark = changes_.size();
    Use(stretch, search_.placed());
    if (FindAnotherWay(stretch, effort_max, depth, kept)) return true;
    RollBack(mark);
  }
  return false;
}

// For those from whom the stretch has taken something.
bool Placement::FindAnotherWay(uint32_t stretch, uint8_t effort_max, int depth, Contents* kept) {
  std::vector<uint32_t> deprived;
  for (const StretchSearch::Placed& placed : Solution(solutions_[stretch])) {
    while (supply_.IsOverdrawn(placed.content)) {
      kept->insert(placed.content);
      std::optional<uint32_t> other;
      for (const uint32_t gap : supply_.Occupants(placed.content)) {
        if (const uint32_t at = StretchAt(gap); at != stretch) other = at;
      }
      if (!other) return false;
      Use(*other, {});
      deprived.push_back(*other);
    }
  }
  return std::all_of(deprived.begin(), deprived.end(), [&](uint32_t other) {
    if (Search(other, effort_max, false, nullptr) == StretchSearch::Answer::kFound) {
      Use(other, search_.placed());
      return true;
    }
    return search_.is_short_elsewhere() && Augment(other, effort_max, depth + 1, kept);
  });
}

void Placement::Use(uint32_t stretch, Solution solution) {
  supply_.GiveAllBack();
  for (const StretchSearch::Placed& placed : solutions_[stretch]) {
    supply_.Vacate(placed.content, placed.gap);
  }
  for (const StretchSearch::Placed& placed : solution) {
    supply_.Occupy(placed.content, placed.gap);
  }
  changes_.push_back({stretch, std::exchange(solutions_[stretch], std::move(solution))});
}

void Placement::RollBack(size_t changes) {
  while (changes_.size() > changes) {
    Change change = std::move(changes_.back());
    changes_.pop_back();
    Use(change.stretch, std::move(change.before));
    changes_.pop_back();
  }
}

std::vector<Operation> Placement::Placed() const {
  std::vector<Operation> placed;
  std::vector<size_t> used(supply_.size(), 0);
  for (const Solution& solution : solutions_) {
    for (const StretchSearch::Placed& one : solution) {
      Operation op = problem_.unknown[supply_.at(one.content).members[used[one.content]++]];
      op.has_index = true;
      op.index = problem_.gaps[one.gap].first + one.number;
      placed.push_back(op);
    }
  }
  return placed;
}

}  // namespace bank::checker
