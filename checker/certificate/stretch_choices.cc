// StretchSearch, forward: what may stand next in a gap, and in which order that is tried.
#include <algorithm>

#include "checker/certificate/stretch_search.h"

namespace bank::checker {

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

}  // namespace bank::checker
