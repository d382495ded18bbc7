#include "checker/certificate/placement.h"

#include <algorithm>

namespace bank::checker {
namespace {

// What is spent at most on choices that make up for nothing, before all are tried; and before it is
// looked for what others use.
constexpr uint8_t kEffortMax = 6;
constexpr uint8_t kEffortAlone = 2;
constexpr uint64_t kTakenBackMax = 5'000;
constexpr uint8_t kAllEffort = UINT8_MAX;

}  // namespace

Placement::Placement(const PlacementProblem& problem, const AccountNames& names, uint64_t steps_max)
    : problem_(problem), names_(names), steps_max_(steps_max), supply_(problem.unknown, names) {
  room_.reserve(problem_.gaps.size() + 1);
  room_.push_back(0);
  for (const Gap& gap : problem_.gaps) room_.push_back(room_.back() + gap.length);
  ReserveWhatIsForced();
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

const Placement::Interval* Placement::IntervalOf(uint32_t account) const {
  const auto& intervals = problem_.intervals[account];
  const uint32_t at = accounts_[account].interval;
  return at < intervals.size() ? &intervals[at] : nullptr;
}

bool Placement::IsUneven(uint32_t account) const {
  const Interval* interval = IntervalOf(account);
  if (interval == nullptr || !interval->has_missing) return false;
  const State& state = accounts_[account];
  return state.missing != 0 || (interval->opens && state.view.presence == AccountView::kAbsent);
}

void Placement::NoteUneven(uint32_t account) {
  State& state = accounts_[account];
  const bool uneven = IsUneven(account);
  if (uneven == (state.uneven_at != kNone)) return;
  if (uneven) {
    state.uneven_at = static_cast<uint32_t>(uneven_.size());
    uneven_.push_back(account);
    return;
  }
  accounts_[uneven_.back()].uneven_at = state.uneven_at;
  uneven_[state.uneven_at] = uneven_.back();
  uneven_.pop_back();
  state.uneven_at = kNone;
}

void Placement::Set(uint32_t account, const AccountView& view, uint32_t interval, Wide missing) {
  State& state = accounts_[account];
  trail_.push_back({account, state.interval, state.view, state.missing});
  state.view = view;
  state.interval = interval;
  state.missing = missing;
  NoteUneven(account);
}

BankView Placement::StateFor(const Operation& op) const {
  BankView state = problem_.bank;
  state.account = accounts_[op.account].view;
  if (op.kind == OpKind::kTransfer) state.to = accounts_[op.to].view;
  state.Recognize(op, names_);
  state.money = problem_.has_all_events ? money_ : kAnyMoney;
  state.accounts = problem_.has_all_events ? account_count_ : Sum{};
  return state;
}

void Placement::BlameAccount(uint32_t account) {
  const Interval* interval = IntervalOf(account);
  if (interval == nullptr || interval->first_gap >= level_at_gap_.size()) return;
  const uint32_t first = level_at_gap_[interval->first_gap];
  if (first < levels_.size()) low_ = std::min(low_, first);
}

bool Placement::PassEvent(uint32_t number) {
  ++steps_;
  const PlacementProblem::Event& event = problem_.events[number];
  const Operation& op = event.op;
  BankView state = StateFor(op);
  if (event.account != kNone) state.account = problem_.certain[event.account];
  if (event.to != kNone) state.to = problem_.certain[event.to];
  if (!Agrees(op, state)) {
    uint64_t since = UINT64_MAX;
    for (const auto& [account, certain] :
         {std::pair(op.account, event.account), std::pair(op.to, event.to)}) {
      if (account == kNoAccount || certain != kNone) continue;
      BlameAccount(account);
      if (const Interval* interval = IntervalOf(account)) since = std::min(since, interval->since);
    }
    // What the bank holds as a whole has to do with all that was placed.
    if (problem_.has_all_events && op.kind != OpKind::kQuery && !levels_.empty()) low_ = 0;
    if (failure_.event == kNone || failure_.event < number) {
      failure_ = {number, state, since == UINT64_MAX ? 0 : since};
    }
    return false;
  }
  Carry(op, &state);
  money_ = state.money;
  account_count_ = state.accounts;
  const auto follow = [&](uint32_t account, const AccountView& view) {
    const State& now = accounts_[account];
    const Interval* interval = IntervalOf(account);
    if (interval == nullptr || interval->end_event != number) {
      Set(account, view, now.interval, now.missing);
      return;
    }
    const auto& intervals = problem_.intervals[account];
    const uint32_t next = now.interval + 1;
    const bool is_last = next >= intervals.size();
    Set(account, is_last ? view : intervals[next].opening, next,
        is_last ? Wide{0} : intervals[next].missing);
  };
  if (event.account == kNone) follow(op.account, state.account);
  if (op.kind == OpKind::kTransfer && event.to == kNone && op.to != op.account) {
    follow(op.to, state.to);
  }
  return true;
}

bool Placement::PassEvents(uint32_t gap) {
  const uint32_t end = gap + 1 < problem_.gaps.size()
                           ? problem_.gaps[gap + 1].next_event
                           : static_cast<uint32_t>(problem_.events.size());
  for (uint32_t event = problem_.gaps[gap].next_event; event < end; ++event) {
    if (!PassEvent(event)) return false;
  }
  return true;
}

bool Placement::EndFits() {
  if (!total_wanted_) return true;
  Bounds total = {0, problem_.has_others ? kUnbounded : 0};
  for (const State& state : accounts_) {
    total.low += state.view.least();
    total.high += state.view.most();
  }
  if (*total_wanted_ >= total.low && *total_wanted_ <= total.high) return true;
  for (uint32_t account = 0; account < accounts_.size(); ++account) BlameAccount(account);
  return false;
}

void Placement::Reach(uint32_t gap) {
  Level& level = levels_.emplace_back();
  level.gap = gap;
  if (levels_.size() > 1) {
    const Level& before = levels_[levels_.size() - 2];
    if (before.gap == gap) level.placed = before.placed + 1;
    if (!uneven_.empty()) level.spent = before.spent + before.cost;
  }
  if (level.placed == 0) level_at_gap_[gap] = static_cast<uint32_t>(levels_.size() - 1);
  level.trail = trail_.size();
  level.money = money_;
  level.accounts = account_count_;
  const std::vector<uint32_t>& earlier = earlier_[gap];
  if (level.placed < earlier.size()) level.earlier = earlier[level.placed];
  furthest_ = std::max(furthest_, gap);
}

// Whether what the accounts miss can still be made up for, once `content` (kNone: nothing) is
// placed and `left` more may be placed in the gap. Each operation makes up for two accounts at
// most.
bool Placement::CanMakeUp(const Level& level, uint64_t left, uint32_t content) {
  const Operation* op = content == kNone ? nullptr : &supply_.at(content).op;
  needs_.clear();
  const auto consider = [&](uint32_t account, Wide missing, bool opens) {
    const Interval& interval = *IntervalOf(account);
    if (!interval.has_missing || (missing == 0 && !opens)) return;
    needs_.push_back({left + RoomBehind(level.gap, interval), account, missing});
  };
  const auto opens = [&](uint32_t account) {
    return IntervalOf(account)->opens && accounts_[account].view.presence == AccountView::kAbsent;
  };
  for (uint32_t account : uneven_) {
    if (op != nullptr && (account == op->account || account == op->to)) continue;
    consider(account, accounts_[account].missing, opens(account));
  }
  if (op != nullptr) {
    for (uint32_t account : {op->account, op->to}) {
      if (account == kNoAccount) continue;
      consider(account, accounts_[account].missing - ChangeOf(*op, account),
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

bool Placement::MayLeave(Level* level) {
  level->has_last_chance = std::any_of(uneven_.begin(), uneven_.end(), [&](uint32_t account) {
    return RoomBehind(level->gap, *IntervalOf(account)) == 0;
  });
  return CanMakeUp(*level, 0, kNone);
}

// What to try next, in a stage of its own: what makes up exactly for something, what concerns an
// account that misses something, everything.
void Placement::Gather(Level* level) {
  level->candidates.clear();
  level->next = 0;
  const auto add = [&](const std::vector<uint32_t>& contents) {
    level->candidates.insert(level->candidates.end(), contents.begin(), contents.end());
  };
  for (uint32_t account : uneven_) {
    if (level->stage == Stage::kExact) add(supply_.Changing(account, accounts_[account].missing));
    if (level->stage == Stage::kPartial) add(supply_.Touching(account));
  }
  if (level->stage == Stage::kAny) {
    // What is changed by the last one of an interval cannot be changed back.
    const bool is_last = level->placed + 1 == problem_.gaps[level->gap].length;
    for (uint32_t account = 0; account < accounts_.size(); ++account) {
      const Interval& interval = *IntervalOf(account);
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

bool Placement::IsLeft(const Level& level, uint32_t content, uint32_t first_user) const {
  return supply_.IsLeft(content, level.gap, problem_.gaps[level.gap].return_min, first_user);
}

// Whether one is left, or may be borrowed. Blames those that use it else.
bool Placement::TakesTurn(const Level& level, uint32_t content) {
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
bool Placement::Fits(Level* level, uint32_t content) {
  ++steps_;
  const UnknownSupply::Content& c = supply_.at(content);
  const Gap& gap = problem_.gaps[level->gap];
  if (!supply_.Exists(content, gap.return_min)) return false;
  if (!CanMakeUp(*level, gap.length - level->placed - 1, content)) return false;
  const BankView state = StateFor(c.op);
  if (!Agrees(c.op, state)) {
    BlameAccount(c.op.account);
    if (c.op.to != kNoAccount) BlameAccount(c.op.to);
    if (problem_.has_all_events) low_ = 0;
    return false;
  }
  return TakesTurn(*level, content);
}

uint8_t Placement::CostOf(Stage stage) {
  return stage == Stage::kPartial ? 1 : stage == Stage::kAny ? 2 : 0;
}

Placement::Stage Placement::NextStage(const Level& level) const {
  const auto next = static_cast<Stage>(static_cast<int>(level.stage) + 1);
  const uint8_t effort = effort_[level.gap];
  if (effort != kAllEffort && level.spent + CostOf(next) > effort) return Stage::kOver;
  // Where one more can be placed, and an account has its last chance, it must make up for that.
  const bool is_last = level.placed + 1 == problem_.gaps[level.gap].length;
  return level.has_last_chance && is_last && next > Stage::kExact ? Stage::kOver : next;
}

// After a choice far back was changed, most of those behind it are still good.
bool Placement::ChooseAsEarlier(Level* level) {
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

bool Placement::Choose(Level* level) {
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
      if (content == level->earlier || !Fits(level, content)) continue;
      level->chosen = content;
      level->cost = CostOf(level->stage);
      return true;
    }
    level->stage = NextStage(*level);
    if (level->stage != Stage::kOver) Gather(level);
  }
  return false;
}

void Placement::Place(Level* level, uint32_t content) {
  const UnknownSupply::Content& c = supply_.at(content);
  BankView state = StateFor(c.op);
  Carry(c.op, &state);
  money_ = state.money;
  account_count_ = state.accounts;
  const auto change = [&](uint32_t account, const AccountView& view) {
    const State& now = accounts_[account];
    const Interval& interval = *IntervalOf(account);
    Set(account, view, now.interval,
        interval.has_missing ? now.missing - ChangeOf(c.op, account) : Wide{0});
  };
  change(c.op.account, state.account);
  if (c.op.to != kNoAccount) change(c.op.to, state.to);
  level->is_borrowed = may_borrow_ && !IsLeft(*level, content, 0);
  supply_.Take(content, level->gap, static_cast<uint32_t>(levels_.size() - 1));
}

void Placement::Undo(Level* level) {
  if (level->chosen != kNone && level->chosen != kLeave) {
    supply_.GiveBack(level->chosen, level->gap);
  }
  level->chosen = kNone;
  level->cost = 0;
  while (trail_.size() > level->trail) {
    const Saved& saved = trail_.back();
    State& state = accounts_[saved.account];
    state.view = saved.view;
    state.interval = saved.interval;
    state.missing = saved.missing;
    NoteUneven(saved.account);
    trail_.pop_back();
  }
  money_ = level->money;
  account_count_ = level->accounts;
}

// Adds what the last failure had to do with to what is known of the level, as far as it lies before
// it.
void Placement::MergeBlame(Level* level) {
  const auto own = static_cast<uint32_t>(level - levels_.data());
  if (low_ < own) level->low = std::min(level->low, low_);
  level->is_short = level->is_short || is_short_;
  low_ = kNone;
  is_short_ = false;
}

// Takes the newest level's next choice, and goes on to the next one. False: none of them will do.
bool Placement::Advance(Level* level) {
  while (steps_ <= steps_max_) {
    low_ = kNone;
    is_short_ = false;
    const bool chosen = Choose(level);
    MergeBlame(level);
    if (!chosen) return false;
    bool holds = true;
    const bool leaves = level->chosen == kLeave;
    if (!leaves) Place(level, level->chosen);
    if (leaves) {
      holds = PassEvents(level->gap) && (level->gap + 1 < problem_.gaps.size() || EndFits());
    }
    if (holds) return true;
    MergeBlame(level);
    Undo(level);
  }
  return false;
}

void Placement::BackTo(uint32_t target) {
  while (levels_.size() - 1 > target) {
    const Level& level = levels_.back();
    std::vector<uint32_t>& earlier = earlier_[level.gap];
    if (earlier.size() <= level.placed) earlier.resize(level.placed + 1, kNone);
    earlier[level.placed] = level.chosen;
    Undo(&levels_.back());
    levels_.pop_back();
  }
  Undo(&levels_.back());
}

// Goes back to the newest level that had to do with the failure of the last one, or tries more.
// False: none had, and everything was tried.
bool Placement::BackUp() {
  Level& failed = levels_.back();
  const auto own = static_cast<uint32_t>(levels_.size() - 1);
  low_ = failed.low;
  is_short_ = failed.is_short;
  if (low_ < own) {
    BackTo(own - 1);
    MergeBlame(&levels_.back());
    return true;
  }
  if (failed.is_short && effort_[failed.gap] >= kEffortAlone &&
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
std::optional<uint32_t> Placement::WhoLent() const {
  for (size_t i = borrow_from_; i < levels_.size(); ++i) {
    if (!levels_[i].is_borrowed) continue;
    std::optional<uint32_t> user;
    for (uint32_t other : supply_.Users(levels_[i].chosen)) {
      if (other >= borrow_from_) break;
      if (user && taken_back_[levels_[other].gap] > taken_back_[levels_[*user].gap]) continue;
      user = other;
    }
    if (user) return user;
  }
  return std::nullopt;
}

void Placement::TakeBack(uint32_t user) {
  ++taken_back_[levels_[user].gap];
  BackTo(user);
  levels_.back().is_short = true;
  furthest_ = levels_.back().gap;
}

// Nothing explains the answers within what was tried in the gaps from the newest level's on. False:
// that was everything.
bool Placement::TryHarder() {
  Level& level = levels_.back();
  const auto first = effort_.begin() + level.gap;
  const auto end = effort_.begin() + furthest_ + 1;
  const uint8_t least = *std::min_element(first, end);
  if (least == kAllEffort) return false;
  const uint8_t more = least >= kEffortMax ? kAllEffort : static_cast<uint8_t>(least + 1);
  std::for_each(first, end, [&](uint8_t& effort) { effort = std::max(effort, more); });
  TryAgain(&level);
  return true;
}

void Placement::TryAgain(Level* level) {
  level->stage = Stage::kLeave;
  level->earlier = kNone;
  level->low = kNone;
  level->is_short = false;
  level->candidates.clear();
  level->next = 0;
}

Placement::Answer Placement::Find(std::optional<Wide> total) {
  total_wanted_ = total;
  steps_ = 0;
  failure_ = {};
  levels_.clear();
  trail_.clear();
  uneven_.clear();
  supply_.GiveAllBack();
  money_ = problem_.bank.money;
  account_count_ = problem_.bank.accounts;
  accounts_.assign(problem_.intervals.size(), {});
  for (uint32_t account = 0; account < accounts_.size(); ++account) {
    const Interval* first = IntervalOf(account);
    if (first == nullptr) continue;
    accounts_[account].view = first->opening;
    accounts_[account].missing = first->missing;
    NoteUneven(account);
  }
  level_at_gap_.assign(problem_.gaps.size(), kNone);
  effort_.assign(problem_.gaps.size(), 0);
  furthest_ = 0;
  earlier_.assign(problem_.gaps.size(), {});
  taken_back_.assign(problem_.gaps.size(), 0);
  taken_back_total_ = 0;
  may_borrow_ = false;
  if (problem_.gaps.empty()) return Answer::kNone;
  Reach(0);
  for (;;) {
    Level& level = levels_.back();
    if (Advance(&level)) {
      const uint32_t next = level.chosen == kLeave ? level.gap + 1 : level.gap;
      const bool is_end = next == problem_.gaps.size();
      if (!is_end) Reach(next);
      if (may_borrow_ && (is_end || (next > borrow_until_ && uneven_.empty()))) {
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
    if (steps_ > steps_max_) return Answer::kUnknown;
    if (!BackUp()) return Answer::kNone;
  }
}

// The first answer that is wrong without unknown operations, of those that have to do with the gap
// behind which nobody came; else the last one that was wrong in what was tried.
Placement::Failure Placement::failure() const {
  Failure failure;
  for (const auto& intervals : problem_.intervals) {
    const auto behind = std::upper_bound(
        intervals.begin(), intervals.end(), furthest_,
        [](uint32_t gap, const Interval& interval) { return gap < interval.first_gap; });
    if (behind == intervals.begin()) continue;
    const Interval& interval = *(behind - 1);
    if (!interval.has_missing || (interval.missing == 0 && !interval.opens)) continue;
    if (interval.end_event >= failure.event) continue;
    const Operation& end = problem_.events[interval.end_event].op;
    failure = {interval.end_event, StateFor(end), interval.since};
    failure.state.account = {AccountView::kAbsent};
    if (!interval.opens) {
      failure.state.account = {AccountView::kPresent,
                               static_cast<int64_t>(ToldBefore(end) - interval.missing)};
    }
  }
  return failure.event == kNone ? failure_ : failure;
}

std::vector<Operation> Placement::Placed() const {
  std::vector<Operation> placed;
  std::vector<size_t> used(supply_.size(), 0);
  for (const Level& level : levels_) {
    if (level.chosen == kLeave) continue;
    const uint32_t member = supply_.at(level.chosen).members[used[level.chosen]++];
    Operation op = problem_.unknown[member];
    op.has_index = true;
    op.index = problem_.gaps[level.gap].first + level.placed;
    placed.push_back(op);
  }
  return placed;
}

}  // namespace bank::checker
