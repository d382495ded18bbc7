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

// Whether what the accounts miss can still be made up for, once `content` (kNone: nothing) is
// placed and `left` more may be placed in the gap. Each operation makes up for two accounts at
// most.
bool StretchSearch::CanMakeUp(const Level& level, uint64_t left, uint32_t content) {
  const Operation* op = content == kNone ? nullptr : &supply_.at(content).op;
  needs_.clear();
  const auto consider = [&](uint32_t account, Wide missing, bool opens) {
    const Interval& interval = *state_.IntervalOf(account);
    if (!interval.has_missing || (missing == 0 && !opens)) return;
    needs_.push_back({left + RoomBehind(level.gap, interval), account, missing});
  };
  const auto opens = [&](uint32_t account) { return state_.Opens(account); };
  for (uint32_t account : state_.uneven()) {
    if (op != nullptr && (account == op->account || account == op->to)) continue;
    consider(account, state_.MissingOf(account), opens(account));
  }
  if (op != nullptr) {
    for (uint32_t account : {op->account, op->to}) {
      if (account == kNoAccount) continue;
      consider(account, state_.MissingOf(account) - ChangeOf(*op, account),
               opens(account) && op->kind != OpKind::kOpen);
    }
  }
  std::sort(needs_.begin(), needs_.end(),
            [](const Need& a, const Need& b) { return a.room < b.room; });
  const auto fail = [&](size_t count) {
    for (size_t i = 0; i < count; ++i) BlameAccount(needs_[i].account);
    return false;
  };
  for (size_t i = 0; i < needs_.size(); ++i) {
    if (i + 1 > 2 * needs_[i].room) return fail(i + 1);
  }
  const auto last =
      std::find_if(needs_.begin(), needs_.end(), [](const Need& need) { return need.room > 1; }) -
      needs_.begin();
  if (last == 0) return true;
  // One operation has to do for all that have room for one.
  const auto& exact = supply_.Changing(needs_[0].account, needs_[0].missing);
  const bool exists = std::any_of(exact.begin(), exact.end(), [&](uint32_t i) {
    const Operation& one = supply_.at(i).op;
    return last == 1 || ((one.account == needs_[1].account || one.to == needs_[1].account) &&
                         ChangeOf(one, needs_[1].account) == needs_[1].missing);
  });
  return exists || fail(static_cast<size_t>(last));
}

bool StretchSearch::MayLeave(Level* level) {
  const std::vector<uint32_t>& uneven = state_.uneven();
  level->has_last_chance = std::any_of(uneven.begin(), uneven.end(), [&](uint32_t account) {
    return RoomBehind(level->gap, *state_.IntervalOf(account)) == 0;
  });
  return CanMakeUp(*level, 0, kNone);
}

// What to try next, in a stage of its own: what makes up exactly for something, what concerns an
// account that misses something, everything.
void StretchSearch::Gather(Level* level) {
  level->candidates.clear();
  level->next = 0;
  const auto add = [&](const std::vector<uint32_t>& contents) {
    level->candidates.insert(level->candidates.end(), contents.begin(), contents.end());
  };
  for (uint32_t account : state_.uneven()) {
    if (level->stage == Stage::kExact) add(supply_.Changing(account, state_.MissingOf(account)));
    if (level->stage == Stage::kPartial) add(supply_.Touching(account));
  }
  if (level->stage == Stage::kAny) {
    // What is changed by the last one of an interval cannot be changed back.
    const bool is_last = level->placed + 1 == problem_.gaps[level->gap].length;
    for (uint32_t account = 0; account < state_.accounts(); ++account) {
      const Interval& interval = *state_.IntervalOf(account);
      if (is_last && interval.has_missing && RoomBehind(level->gap, interval) == 0) {
        BlameAccount(account);
      } else {
        add(supply_.Touching(account));
      }
    }
  }
  auto& list = level->candidates;
  std::sort(list.begin(), list.end());
  list.erase(std::unique(list.begin(), list.end()), list.end());
  if (level->stage == Stage::kAny) return;
  // What there is most of is missed least elsewhere.
  std::stable_sort(list.begin(), list.end(),
                   [&](uint32_t a, uint32_t b) { return supply_.Spare(a) > supply_.Spare(b); });
}

bool StretchSearch::IsLeft(const Level& level, uint32_t content, uint32_t first_user) {
  const int64_t return_min = problem_.gaps[level.gap].return_min;
  if (!supply_.IsLeft(content, level.gap, return_min, first_user)) return false;
  const bool borrows =
      options_.borrows && (options_.kept == nullptr || !options_.kept->contains(content));
  if (borrows || supply_.IsLeftElsewhere(content, level.gap, return_min, first_user)) return true;
  is_short_elsewhere_ = true;
  return false;
}

// Whether one is left, or may be borrowed. Blames those that use it else.
bool StretchSearch::TakesTurn(const Level& level, uint32_t content) {
  if (IsLeft(level, content, may_borrow_ ? borrow_from_ : 0)) return true;
  if (!may_borrow_) {
    is_short_ = is_short_ || IsLeft(level, content, kNone);
    return false;
  }
  const std::vector<uint32_t>& users = supply_.Users(content);
  const auto own = std::lower_bound(users.begin(), users.end(), borrow_from_);
  if (own != users.end()) low_ = std::min(low_, *own);
  return false;
}

// Whether `content` may stand here, by what is missing, by the rules, and as one is left of it.
bool StretchSearch::Fits(Level* level, uint32_t content) {
  const UnknownSupply::Content& c = supply_.at(content);
  const Gap& gap = problem_.gaps[level->gap];
  if (!supply_.Exists(content, gap.return_min)) return false;
  if (!CanMakeUp(*level, gap.length - level->placed - 1, content)) return false;
  const BankView state = state_.StateFor(c.op);
  if (!Agrees(c.op, state)) {
    BlameAccount(c.op.account);
    if (c.op.to != kNoAccount) BlameAccount(c.op.to);
    if (problem_.has_all_events) low_ = 0;
    return false;
  }
  return TakesTurn(*level, content);
}

uint8_t StretchSearch::CostOf(Stage stage) {
  return stage == Stage::kPartial ? 1 : stage == Stage::kAny ? 2 : 0;
}

// How many accounts that miss nothing would miss something then.
int StretchSearch::Upset(uint32_t content) const {
  const Operation& op = supply_.at(content).op;
  int upset = 0;
  for (uint32_t account : {op.account, op.to}) {
    if (account == kNoAccount) continue;
    const Interval* interval = state_.IntervalOf(account);
    const bool is_even = interval != nullptr && interval->has_missing &&
                         state_.MissingOf(account) == 0 && !state_.Opens(account);
    upset += is_even && ChangeOf(op, account) != 0 ? 1 : 0;
  }
  return upset;
}

StretchSearch::Stage StretchSearch::NextStage(const Level& level) {
  const auto next = static_cast<Stage>(static_cast<int>(level.stage) + 1);
  const uint8_t effort = EffortAt(level.gap);
  if (effort != kAllEffort && level.spent + CostOf(next) > effort) return Stage::kOver;
  // Where one more can be placed, and an account has its last chance, it must make up for that.
  const bool is_last = level.placed + 1 == problem_.gaps[level.gap].length;
  return level.has_last_chance && is_last && next > Stage::kExact ? Stage::kOver : next;
}

// After a choice far back was changed, most of those behind it are still good.
bool StretchSearch::ChooseAsEarlier(Level* level) {
  const uint32_t earlier = level->earlier;
  const uint32_t low = low_;
  const bool is_short = is_short_;
  if (earlier != kNone && (earlier == kLeave ? MayLeave(level) : Fits(level, earlier))) {
    level->chosen = earlier;
    return true;
  }
  // It is tried once more in its turn.
  level->earlier = kNone;
  low_ = low;
  is_short_ = is_short;
  return false;
}

bool StretchSearch::Choose(Level* level) {
  if (level->stage == Stage::kEarlier) {
    level->stage = Stage::kLeave;
    if (ChooseAsEarlier(level)) return true;
  }
  if (level->stage == Stage::kLeave) {
    level->stage = Stage::kLeft;
    if (MayLeave(level) && level->earlier != kLeave) {
      level->chosen = kLeave;
      return true;
    }
  }
  const Gap& gap = problem_.gaps[level->gap];
  while (level->placed < gap.length && level->stage != Stage::kOver) {
    while (level->next < level->candidates.size()) {
      const uint32_t content = level->candidates[level->next++];
      const auto cost = static_cast<uint8_t>(CostOf(level->stage) + Upset(content));
      const uint8_t effort = EffortAt(level->gap);
      if (effort != kAllEffort && level->spent + cost > effort) continue;
      if (content == level->earlier || !Fits(level, content)) continue;
      level->chosen = content;
      level->cost = cost;
      return true;
    }
    level->stage = NextStage(*level);
    if (level->stage != Stage::kOver) Gather(level);
  }
  return false;
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
                      taken_back_[levels_[*user].gap - stretch_.first]) continue;
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
