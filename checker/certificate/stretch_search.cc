#include "checker/certificate/stretch_search.h"

#include <algorithm>

namespace bank::checker {
namespace {

// What is spent at most on choices that make up for nothing, before all are tried; and before it is
// looked for what others use.
constexpr uint8_t kEffortMax = 6;
constexpr uint8_t kEffortAlone = 2;
constexpr uint64_t kTakenBackMax = 5'000;
constexpr uint64_t kStepsBetweenLooks = 512;  // at the budget

}  // namespace

StretchSearch::StretchSearch(const PlacementProblem& problem, const AccountNames& names,
                             UnknownSupply* supply)
    : problem_(problem), supply_(*supply), state_(problem, names) {
  room_.reserve(problem_.gaps.size() + 1);
  room_.push_back(0);
  for (const Gap& gap : problem_.gaps) room_.push_back(room_.back() + gap.length);
}

bool StretchSearch::IsOver() {
  if (++steps_ % kStepsBetweenLooks == 0) is_over_ = is_over_ || options_.budget.IsOver();
  return is_over_;
}

void StretchSearch::BlameAccount(uint32_t account) {
  const Interval* interval = state_.IntervalOf(account);
  if (interval == nullptr || interval->first_gap > stretch_.last) return;
  const uint32_t first = LevelAt(std::max(interval->first_gap, stretch_.first));
  if (first < levels_.size()) low_ = std::min(low_, first);
}

bool StretchSearch::PassEvents(uint32_t gap) {
  const uint32_t end = gap + 1 < problem_.gaps.size()
                           ? problem_.gaps[gap + 1].next_event
                           : static_cast<uint32_t>(problem_.events.size());
  for (uint32_t number = problem_.gaps[gap].next_event; number < end; ++number) {
    ++steps_;
    PlacementFailure failure;
    if (state_.Pass(number, &failure)) continue;
    const PlacementProblem::Event& event = problem_.events[number];
    if (event.account == kNone) BlameAccount(event.op.account);
    if (event.op.to != kNoAccount && event.to == kNone) BlameAccount(event.op.to);
    // What the bank holds as a whole has to do with all that was placed.
    if (problem_.has_all_events && event.op.is_write() && !levels_.empty()) low_ = 0;
    if (failure_.event == kNone || failure_.event < number) failure_ = failure;
    return false;
  }
  return true;
}

bool StretchSearch::EndFits() {
  if (!options_.total || state_.MayHold(*options_.total)) return true;
  for (uint32_t account = 0; account < state_.accounts(); ++account) BlameAccount(account);
  return false;
}

void StretchSearch::Reach(uint32_t gap) {
  Level& level = levels_.emplace_back();
  level.gap = gap;
  if (levels_.size() > 1) {
    const Level& before = levels_[levels_.size() - 2];
    if (before.gap == gap) level.placed = before.placed + 1;
    if (!state_.uneven().empty()) level.spent = before.spent + before.cost;
  }
  if (level.placed == 0) LevelAt(gap) = static_cast<uint32_t>(levels_.size() - 1);
  level.before = state_.Here();
  const std::vector<uint32_t>& earlier = earlier_[gap - stretch_.first];
  if (level.placed < earlier.size()) level.earlier = earlier[level.placed];
  furthest_ = std::max(furthest_, gap);
}

void StretchSearch::Place(Level* level, uint32_t content) {
  state_.Place(supply_.at(content).op);
  level->is_borrowed = may_borrow_ && !IsLeft(*level, content, 0);
  supply_.Take(content, level->gap, static_cast<uint32_t>(levels_.size() - 1));
}

void StretchSearch::Undo(Level* level) {
  if (level->chosen != kNone && level->chosen != kLeave) {
    supply_.GiveBack(level->chosen, level->gap);
  }
  level->chosen = kNone;
  level->cost = 0;
  state_.BackTo(level->before);
}

// Adds what the last failure had to do with to what is known of the level, as far as it lies before
// it.
void StretchSearch::MergeBlame(Level* level) {
  const auto own = static_cast<uint32_t>(level - levels_.data());
  if (low_ < own) level->low = std::min(level->low, low_);
  level->is_short = level->is_short || is_short_;
  low_ = kNone;
  is_short_ = false;
}

// Takes the newest level's next choice, and goes on to the next one. False: none of them will do.
bool StretchSearch::Advance(Level* level) {
  while (!IsOver()) {
    low_ = kNone;
    is_short_ = false;
    const bool chosen = Choose(level);
    MergeBlame(level);
    if (!chosen) return false;
    bool holds = true;
    const bool leaves = level->chosen == kLeave;
    if (!leaves) Place(level, level->chosen);
    if (leaves) {
      holds = PassEvents(level->gap) && (level->gap < stretch_.last || EndFits());
    }
    if (holds) return true;
    MergeBlame(level);
    Undo(level);
  }
  return false;
}

void StretchSearch::BackTo(uint32_t target) {
  while (levels_.size() - 1 > target) {
    const Level& level = levels_.back();
    std::vector<uint32_t>& earlier = earlier_[level.gap - stretch_.first];
    if (earlier.size() <= level.placed) earlier.resize(level.placed + 1, kNone);
    earlier[level.placed] = level.chosen;
    Undo(&levels_.back());
    levels_.pop_back();
  }
  Undo(&levels_.back());
}

// Goes back to the newest level that had to do with the failure of the last one, or tries more.
// False: none had, and everything was tried.
bool StretchSearch::BackUp() {
  Level& failed = levels_.back();
  const auto own = static_cast<uint32_t>(levels_.size() - 1);
  low_ = failed.low;
  is_short_ = failed.is_short;
  if (low_ < own) {
    BackTo(own - 1);
    MergeBlame(&levels_.back());
    return true;
  }
  if (failed.is_short && EffortAt(failed.gap) >= kEffortAlone &&
      (!may_borrow_ || own < borrow_from_)) {
    may_borrow_ = true;
    borrow_from_ = own;
    borrow_until_ = furthest_;
    TryAgain(&failed);
    return true;
  }
  return TryHarder();
}

// Somebody who uses what was borrowed, and was not asked as often as others; nothing: nothing was.
std::optional<uint32_t> StretchSearch::WhoLent() const {
  for (size_t i = borrow_from_; i < levels_.size(); ++i) {
    if (!levels_[i].is_borrowed) continue;
    std::optional<uint32_t> user;
    for (uint32_t other : supply_.Users(levels_[i].chosen)) {
      if (other >= borrow_from_) break;
      if (user && taken_back_[levels_[other].gap - stretch_.first] >
                      taken_back_[levels_[*user].gap - stretch_.first])
        continue;
      user = other;
    }
    if (user) return user;
  }
  return std::nullopt;
}

void StretchSearch::TakeBack(uint32_t user) {
  ++taken_back_[levels_[user].gap - stretch_.first];
  BackTo(user);
  levels_.back().is_short = true;
  furthest_ = levels_.back().gap;
}

// Nothing explains the answers within what was tried in the gaps from the newest level's on. False:
// that was everything.
bool StretchSearch::TryHarder() {
  Level& level = levels_.back();
  const auto first = effort_.begin() + (level.gap - stretch_.first);
  const auto end = effort_.begin() + (furthest_ - stretch_.first) + 1;
  const uint8_t least = *std::min_element(first, end);
  if (least == kAllEffort) return false;
  if (least >= options_.effort_max) {
    is_limited_ = true;
    return false;
  }
  const uint8_t more = least >= kEffortMax ? kAllEffort : static_cast<uint8_t>(least + 1);
  std::for_each(first, end, [&](uint8_t& effort) { effort = std::max(effort, more); });
  TryAgain(&level);
  return true;
}

void StretchSearch::TryAgain(Level* level) {
  level->stage = Stage::kLeave;
  level->earlier = kNone;
  level->low = kNone;
  level->is_short = false;
  level->candidates.clear();
  level->next = 0;
}

StretchSearch::Answer StretchSearch::Find(const Stretch& stretch, const Options& options) {
  stretch_ = stretch;
  options_ = options;
  steps_ = 0;
  is_over_ = false;
  is_limited_ = false;
  is_short_elsewhere_ = false;
  failure_ = {};
  levels_.clear();
  supply_.GiveAllBack();
  state_.BeginAt(stretch.first);
  const size_t gaps = stretch.last - stretch.first + 1;
  level_at_gap_.assign(gaps, kNone);
  effort_.assign(gaps, 0);
  furthest_ = stretch.first;
  earlier_.assign(gaps, {});
  taken_back_.assign(gaps, 0);
  taken_back_total_ = 0;
  may_borrow_ = false;
  Reach(stretch.first);
  for (;;) {
    Level& level = levels_.back();
    if (Advance(&level)) {
      const uint32_t next = level.chosen == kLeave ? level.gap + 1 : level.gap;
      const bool is_end = next > stretch_.last;
      if (!is_end) Reach(next);
      if (may_borrow_ && (is_end || (next > borrow_until_ && state_.uneven().empty()))) {
        may_borrow_ = false;
        if (const std::optional<uint32_t> user = WhoLent()) {
          if (++taken_back_total_ > kTakenBackMax) return Answer::kUnknown;
          TakeBack(*user);
          continue;
        }
      }
      if (is_end) return Answer::kFound;
      continue;
    }
    if (is_over_) return Answer::kUnknown;
    if (!BackUp()) return is_limited_ ? Answer::kLimited : Answer::kNone;
  }
}

// The first answer that is wrong without unknown operations, of those that have to do with the gap
// behind which nobody came; else the last one that was wrong in what was tried.
PlacementFailure StretchSearch::failure() const {
  PlacementFailure failure;
  for (const auto& intervals : problem_.intervals) {
    const auto behind = std::upper_bound(
        intervals.begin(), intervals.end(), furthest_,
        [](uint32_t gap, const Interval& interval) { return gap < interval.first_gap; });
    if (behind == intervals.begin()) continue;
    const Interval& interval = *(behind - 1);
    if (!interval.has_missing || (interval.missing == 0 && !interval.opens)) continue;
    if (interval.end_event >= failure.event) continue;
    const Operation& end = problem_.events[interval.end_event].op;
    failure = {interval.end_event, state_.StateFor(end), interval.since};
    failure.state.account = {AccountView::kAbsent};
    if (!interval.opens) {
      failure.state.account = {AccountView::kPresent,
                               static_cast<int64_t>(ToldBefore(end) - interval.missing)};
    }
  }
  return failure.event == kNone ? failure_ : failure;
}

std::vector<StretchSearch::Placed> StretchSearch::placed() const {
  std::vector<Placed> placed;
  for (const Level& level : levels_) {
    if (level.chosen != kLeave) placed.push_back({level.gap, level.placed, level.chosen});
  }
  return placed;
}

}  // namespace bank::checker
