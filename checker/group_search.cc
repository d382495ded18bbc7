#include "checker/group_search.h"

#include <algorithm>
#include <limits>
#include <map>
#include <tuple>

namespace bank::checker {
namespace {

using SteadyClock = std::chrono::steady_clock;

constexpr size_t kSumsMax = 256;  // tables of sums kept at a time

uint64_t Mix(uint64_t x) {  // splitmix64
  x += 0x9e3779b97f4a7c15;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
  x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
  return x ^ (x >> 31);
}

uint64_t HashView(uint32_t account, const AccountView& view) {
  if (view.presence == AccountView::kUnknown) return 0;
  const auto low = static_cast<uint64_t>(view.balance);
  const auto high = static_cast<uint64_t>(view.balance >> 64);
  return Mix(Mix(Mix(low) + high) + account * 4 + view.presence) | 1;
}

uint64_t PlaceOf(const Operation& op) { return op.index * 2 + (op.is_read() ? 1 : 0) + 1; }

Wide ChangeOf(const Operation& op, uint32_t account) {
  if (op.kind == OpKind::kTransfer) {
    return (op.to == account ? Wide{op.amount} : 0) - (op.account == account ? Wide{op.amount} : 0);
  }
  if (op.account != account || op.kind == OpKind::kQuery) return 0;
  return op.kind == OpKind::kWithdraw ? -Wide{op.amount} : Wide{op.amount};
}

// What brings money goes first: it never hinders the others, short of an overflow.
int RankOf(const Operation& op) {
  switch (op.kind) {
    case OpKind::kOpen:
      return 0;
    case OpKind::kDeposit:
      return 1;
    case OpKind::kTransfer:
      return 2;
    default:
      return 3;
  }
}

}  // namespace

// The set of operations done and the balances, as 128 random bits: two different states collide
// with a probability below 1e-24 for all that a budget allows.
struct GroupSearch::Fingerprint {
  uint64_t high = 0;
  uint64_t low = 0;
  void Toggle(uint64_t value) {
    high ^= Mix(value * 2 + 1);
    low ^= Mix(~value * 2);
  }
  std::pair<uint64_t, uint64_t> pair() const { return {high, low}; }
};

// Invocations and completions of required operations in the order of time; [0] is the head.
struct GroupSearch::Link {
  uint32_t op = 0;
  bool is_return = false;
  uint32_t previous = 0;
  uint32_t next = 0;  // 0: end
};

struct GroupSearch::Saved {
  uint32_t account = 0;
  AccountView view;
};

// An answer that is right after some operations of unknown outcome.
struct GroupSearch::Move {
  uint32_t link = 0;
  std::vector<uint32_t> block;
};

// A point of choice: where it looks for the next candidate, and what it has chosen.
struct GroupSearch::Frame {
  enum class Stage : uint8_t { kHarmless, kPlain, kBlocks, kAnywhere, kOver };
  Stage stage = Stage::kHarmless;
  bool took_required = false;
  uint32_t at = 0;
  uint32_t chosen = 0;       // link
  uint32_t saved_size = 0;   // of saved_ before the choice
  uint32_t blocks_size = 0;  // of done_blocks_ before the choice
  size_t optional_at = 0;
  uint64_t last_index = 0;
  uint64_t since = 0;
  uint64_t taken = 0;
  Fingerprint fingerprint;
  std::unique_ptr<std::vector<Move>> moves;  // kBlocks, the next one last
};

GroupSearch::~GroupSearch() = default;

GroupSearch::GroupSearch(const std::vector<Operation>& operations,
                         const HistoryReader::Initial& initial, const AccountNames& names,
                         const Options& options)
    : names_(names), options_(options), fingerprint_(std::make_unique<Fingerprint>()) {
  for (const Operation& op : operations) {
    (IsRequired(op) ? required_ : optional_).push_back(op);
  }
  const auto by_invocation = [](const Operation& a, const Operation& b) {
    return std::tuple(a.invoke_ns, a.process, a.id) < std::tuple(b.invoke_ns, b.process, b.id);
  };
  std::sort(required_.begin(), required_.end(), by_invocation);
  std::sort(optional_.begin(), optional_.end(), by_invocation);
  for (const auto& [account, balance] : initial.balances) {
    accounts_[account] = {AccountView::kPresent, balance};
  }
  // Of several optional operations with one content, the earliest goes first.
  std::map<std::tuple<OpKind, uint32_t, uint32_t, int64_t>, size_t> newest;
  earlier_.assign(optional_.size(), SIZE_MAX);
  for (size_t i = 0; i < optional_.size(); ++i) {
    const Operation& op = optional_[i];
    auto [it, fresh] = newest.try_emplace({op.kind, op.account, op.to, op.amount}, i);
    if (!fresh) earlier_[i] = std::exchange(it->second, i);
  }
  done_.assign(optional_.size(), false);
  absl::flat_hash_set<OperationKey> keys;
  for (const Operation& op : optional_) {
    if (op.has_key() && !keys.insert({op.session, op.sequence}).second) inexact_ = true;
  }
  // Answers that tell no balance, or of accounts of which nothing is known, may be right both with
  // and without an unknown operation that matters later: the order found last may be missed.
  for (const Operation& op : required_) {
    if (optional_.empty()) break;
    const bool tells = op.has_balance || op.kind == OpKind::kDeposit || op.kind == OpKind::kQuery;
    if (!tells || !accounts_.contains(op.account) || op.answer == Answer::kOverflow ||
        (op.to != kNoAccount && !accounts_.contains(op.to))) {
      inexact_ = true;
    }
  }
  // Put right before the answer that needs it, an operation may lack a position that it had
  // earlier.
  if (options_.dense && !optional_.empty()) inexact_ = true;
  MakeList();
  if (options_.positions) MakePlaces();
}

void GroupSearch::MakeList() {
  std::vector<std::tuple<int64_t, bool, uint32_t>> events;  // at equal stamps they overlap
  for (uint32_t i = 0; i < required_.size(); ++i) {
    events.emplace_back(required_[i].invoke_ns, false, i);
    events.emplace_back(required_[i].return_ns, true, i);
  }
  std::sort(events.begin(), events.end());
  links_.resize(events.size() + 1);
  return_link_.resize(required_.size());
  for (uint32_t i = 0; i < events.size(); ++i) {
    const auto [ns, is_return, op] = events[i];
    links_[i + 1] = {op, is_return, i, i + 1 < events.size() ? i + 2 : 0};
    if (is_return) return_link_[op] = i + 1;
  }
  links_[0].next = events.empty() ? 0 : 1;
}

void GroupSearch::MakePlaces() {
  place_of_.assign(required_.size(), 0);
  place_link_.assign(required_.size(), 0);
  at_place_ = {0};
  for (uint32_t i = 0; i < required_.size(); ++i) {
    if (!required_[i].has_index) continue;
    place_of_[i] = PlaceOf(required_[i]);
    at_place_.push_back(i);
  }
  std::stable_sort(at_place_.begin() + 1, at_place_.end(),
                   [&](uint32_t a, uint32_t b) { return place_of_[a] < place_of_[b]; });
  const auto count = static_cast<uint32_t>(at_place_.size());
  for (uint32_t k = 0; k < count; ++k) {
    places_.emplace_back(k == 0 ? 0 : k - 1, k + 1 < count ? k + 1 : 0);
    if (k != 0) place_link_[at_place_[k]] = k;
  }
}

void GroupSearch::Unlink(uint32_t link) {
  links_[links_[link].previous].next = links_[link].next;
  if (links_[link].next != 0) links_[links_[link].next].previous = links_[link].previous;
}

void GroupSearch::Relink(uint32_t link) {
  links_[links_[link].previous].next = link;
  if (links_[link].next != 0) links_[links_[link].next].previous = link;
}

AccountView GroupSearch::ViewOf(uint32_t account) const {
  const auto it = accounts_.find(account);
  return it == accounts_.end() ? AccountView{} : it->second;
}

BankView GroupSearch::StateFor(const Operation& op) const {
  BankView state;
  state.account = ViewOf(op.account);
  state.bad_account = names_.is_bad(op.account);
  if (op.kind == OpKind::kTransfer) {
    state.to = ViewOf(op.to);
    state.bad_account = state.bad_account || names_.is_bad(op.to) || op.account == op.to;
  }
  state.total_may_overflow = options_.total_may_overflow;
  state.accounts_may_run_out = options_.accounts_may_run_out;
  return state;
}

// Nothing that names an earlier position is left, and there is room for what names none.
bool GroupSearch::InPlace(uint32_t required) const {
  if (!options_.positions || place_of_[required] == 0) return true;
  const uint32_t head = places_[0].second;
  if (place_of_[at_place_[head]] != place_of_[required]) return false;
  const Operation& op = required_[required];
  if (!options_.dense) return true;
  const uint64_t own = op.is_read() ? 0 : 1;
  return op.index >= taken_ + own && (since_ == 0 || op.index >= last_index_ + since_ + own);
}

uint32_t GroupSearch::FirstReturn() const {
  uint32_t link = links_[0].next;
  while (link != 0 && !links_[link].is_return) link = links_[link].next;
  return link;
}

void GroupSearch::Set(uint32_t account, const AccountView& view) {
  AccountView& current = accounts_[account];
  saved_.push_back({account, current});
  fingerprint_->Toggle(HashView(account, current));
  fingerprint_->Toggle(HashView(account, view));
  current = view;
}

void GroupSearch::Carry(const Operation& op, bool required) {
  AccountView account = ViewOf(op.account);
  const bool ok = !required || op.answer == Answer::kOk;
  if (ok && op.kind == OpKind::kOpen) {
    return Set(op.account, {AccountView::kPresent, op.amount});
  }
  const bool known = account.presence == AccountView::kPresent;
  if (account.presence == AccountView::kUnknown && required) {
    if (op.has_balance && (op.answer == Answer::kOk || op.answer == Answer::kInsufficientFunds)) {
      Set(op.account, {AccountView::kPresent, op.balance});
    } else if (op.answer == Answer::kUnknownAccount && op.kind != OpKind::kTransfer) {
      Set(op.account, {AccountView::kAbsent, 0});
    }
  }
  if (!ok || op.kind == OpKind::kQuery) return;
  if (known) {
    account.balance += ChangeOf(op, op.account);
    Set(op.account, account);
  }
  if (op.kind != OpKind::kTransfer) return;
  AccountView to = ViewOf(op.to);
  if (to.presence != AccountView::kPresent) return;
  to.balance += op.amount;
  Set(op.to, to);
}

void GroupSearch::Begin(Frame* frame) {
  frame->fingerprint = *fingerprint_;
  frame->saved_size = static_cast<uint32_t>(saved_.size());
  frame->blocks_size = static_cast<uint32_t>(done_blocks_.size());
  frame->last_index = last_index_;
  frame->since = since_;
  frame->taken = taken_;
  frame->took_required = false;
}

void GroupSearch::Take(Frame* frame, uint32_t link) {
  const uint32_t i = links_[link].op;
  const Operation& op = required_[i];
  frame->chosen = link;
  frame->took_required = true;
  fingerprint_->Toggle(i);
  Carry(op, true);
  Unlink(link);
  Unlink(return_link_[i]);
  if (!options_.positions) return;
  if (place_of_[i] != 0) {
    const auto [previous, next] = places_[place_link_[i]];
    places_[previous].second = next;
    if (next != 0) places_[next].first = previous;
  }
  if (!options_.dense) return;
  if (op.is_positioned()) ++taken_;
  if (op.has_index) {
    if (!op.is_read() || op.index > last_index_) since_ = 0;
    last_index_ = std::max(last_index_, op.index);
  } else if (op.is_positioned()) {
    ++since_;
  }
}

void GroupSearch::TakeOptional(size_t optional) {
  const Operation& op = optional_[optional];
  fingerprint_->Toggle(required_.size() + optional);
  Carry(op, false);
  done_[optional] = true;
  ++taken_;
  ++since_;
  if (op.has_key()) used_keys_.insert({op.session, op.sequence});
  done_blocks_.push_back(static_cast<uint32_t>(optional));
}

void GroupSearch::Undo(Frame* frame) {
  while (saved_.size() > frame->saved_size) {
    accounts_[saved_.back().account] = saved_.back().view;
    saved_.pop_back();
  }
  while (done_blocks_.size() > frame->blocks_size) {
    const uint32_t optional = done_blocks_.back();
    done_blocks_.pop_back();
    done_[optional] = false;
    used_keys_.erase({optional_[optional].session, optional_[optional].sequence});
  }
  *fingerprint_ = frame->fingerprint;
  last_index_ = frame->last_index;
  since_ = frame->since;
  taken_ = frame->taken;
  if (!frame->took_required) return;
  const uint32_t i = links_[frame->chosen].op;
  Relink(return_link_[i]);
  Relink(frame->chosen);
  if (options_.positions && place_of_[i] != 0) {
    const auto [previous, next] = places_[place_link_[i]];
    places_[previous].second = place_link_[i];
    if (next != 0) places_[next].first = place_link_[i];
  }
  frame->took_required = false;
}

// One of several attempts with one key may have happened, of equal contents the earliest goes
// first.
bool GroupSearch::MayHappen(size_t optional) const {
  const Operation& op = optional_[optional];
  return !done_[optional] && !(op.has_key() && used_keys_.contains({op.session, op.sequence}));
}

SearchAnswer GroupSearch::Run() {
  size_t left = required_.size();
  uint64_t steps = 0;
  frames_.clear();
  frames_.emplace_back().at = links_[0].next;
  Begin(&frames_.back());
  while (left != 0) {
    if ((++steps & 1023) == 0 && SteadyClock::now() > options_.deadline) {
      return SearchAnswer::kUnknown;
    }
    Frame& frame = frames_.back();
    if (!Step(&frame)) {
      frames_.pop_back();
      if (frames_.empty()) return SearchAnswer::kViolation;
      left += frames_.back().took_required ? 1 : 0;
      Undo(&frames_.back());
      continue;
    }
    Fingerprint reached = *fingerprint_;
    if (options_.dense) reached.Toggle(Mix(since_ ^ (last_index_ << 20)) | 1);
    if (!seen_.insert(reached.pair()).second) {
      Undo(&frame);
      continue;
    }
    if (frame.took_required) --left;
    if (seen_.size() >= options_.states_max) return SearchAnswer::kUnknown;
    Frame& next = frames_.emplace_back();
    next.at = links_[0].next;
    Begin(&next);
  }
  return SearchAnswer::kLinearizable;
}

// Finds the frame's next candidate and carries it out. False if there is none left.
bool GroupSearch::Step(Frame* frame) {
  using Stage = Frame::Stage;
  if (frame->stage == Stage::kHarmless) {
    if (StepHarmless(frame)) {
      frame->stage = Stage::kOver;
      return true;
    }
    frame->stage = Stage::kPlain;
  }
  if (frame->stage == Stage::kPlain) {
    if (StepPlain(frame)) return true;
    frame->stage = options_.everywhere ? Stage::kAnywhere : Stage::kBlocks;
  }
  if (frame->stage == Stage::kAnywhere && StepAnywhere(frame)) return true;
  if (frame->stage == Stage::kBlocks && !optional_.empty() && StepBlocks(frame)) return true;
  frame->stage = Stage::kOver;
  return false;
}

bool GroupSearch::StepHarmless(Frame* frame) {
  for (uint32_t link = frame->at; link != 0 && !links_[link].is_return; link = links_[link].next) {
    const uint32_t i = links_[link].op;
    const Operation& op = required_[i];
    if (op.took_effect()) continue;
    // Writes without a position may have to come before it, to find room.
    if (options_.dense && (!op.is_read() || (op.has_index && op.index != last_index_))) continue;
    if (ViewOf(op.account).presence == AccountView::kUnknown || !InPlace(i)) continue;
    if (!Agrees(op, StateFor(op))) continue;
    Take(frame, link);
    return true;
  }
  return false;
}

bool GroupSearch::StepPlain(Frame* frame) {
  while (frame->at != 0 && !links_[frame->at].is_return) {
    const uint32_t link = frame->at;
    const uint32_t i = links_[link].op;
    frame->at = links_[link].next;
    if (!InPlace(i) || !Agrees(required_[i], StateFor(required_[i]))) continue;
    Take(frame, link);
    return true;
  }
  return false;
}

bool GroupSearch::StepAnywhere(Frame* frame) {
  const uint32_t first_return = FirstReturn();
  const int64_t until = first_return == 0 ? kNever : required_[links_[first_return].op].return_ns;
  while (frame->optional_at < optional_.size()) {
    const size_t i = frame->optional_at++;
    const Operation& op = optional_[i];
    if (op.invoke_ns > until) break;
    if (!MayHappen(i) || (earlier_[i] != SIZE_MAX && MayHappen(earlier_[i]))) continue;
    if (!WouldSucceed(op, StateFor(op))) continue;
    TakeOptional(i);
    return true;
  }
  return false;
}

UnknownSums* GroupSearch::SumsFor(uint32_t account, int64_t until) {
  std::vector<UnknownSums::Item> items;
  std::map<std::tuple<OpKind, uint32_t, uint32_t, int64_t>, uint32_t> contents;
  Fingerprint set;
  set.Toggle(account);
  for (uint32_t i = 0; i < optional_.size(); ++i) {
    const Operation& op = optional_[i];
    if (op.invoke_ns > until) break;
    if (!MayHappen(i)) continue;
    const Wide change = ChangeOf(op, account);
    if (change == 0 && op.kind != OpKind::kOpen) continue;
    if (change == 0 && op.account != account) continue;
    const auto [content, fresh] = contents.try_emplace({op.kind, op.account, op.to, op.amount},
                                                       static_cast<uint32_t>(contents.size()));
    items.push_back({change, i, content->second});
    set.Toggle((uint64_t{i} << 33) + 7);
  }
  if (items.empty()) return nullptr;
  if (sums_.size() > kSumsMax) sums_.clear();
  std::unique_ptr<UnknownSums>& sums = sums_[set.pair()];
  if (sums == nullptr) {
    std::stable_sort(items.begin(), items.end(),
                     [](const auto& a, const auto& b) { return a.content < b.content; });
    sums = std::make_unique<UnknownSums>(std::move(items));
  }
  return sums.get();
}

void GroupSearch::FindMoves(Frame* frame) {
  frame->moves = std::make_unique<std::vector<Move>>();
  std::vector<Move>& moves = *frame->moves;
  const uint32_t first_return = FirstReturn();
  const int64_t until = first_return == 0 ? kNever : required_[links_[first_return].op].return_ns;
  for (uint32_t link = links_[0].next; link != first_return; link = links_[link].next) {
    const uint32_t i = links_[link].op;
    const Operation& op = required_[i];
    const BankView state = StateFor(op);
    if (!InPlace(i) || Agrees(op, state)) continue;
    UnknownSums* sums = SumsFor(op.account, until);
    if (!op.has_balance) {
      inexact_ = inexact_ || sums != nullptr;
      continue;
    }
    if (op.kind == OpKind::kTransfer && SumsFor(op.to, until) != nullptr) inexact_ = true;
    if (sums == nullptr) continue;
    Wide wanted = op.balance;
    if (state.account.presence == AccountView::kPresent) wanted -= state.account.balance;
    if (op.answer == Answer::kOk && op.kind != OpKind::kOpen) wanted -= ChangeOf(op, op.account);
    const UnknownSums::Answer& answer = sums->For(wanted);
    if (!answer.complete) inexact_ = true;
    for (const UnknownSums::Block& block : answer.blocks) moves.push_back({link, block});
  }
  std::stable_sort(moves.begin(), moves.end(),
                   [](const Move& a, const Move& b) { return a.block.size() > b.block.size(); });
}

// Carries out all of them in some order.
bool GroupSearch::CarryOutBlock(Frame* frame, const std::vector<uint32_t>& block) {
  std::vector<uint32_t> rest = block;
  std::stable_sort(rest.begin(), rest.end(), [&](uint32_t a, uint32_t b) {
    return RankOf(optional_[a]) < RankOf(optional_[b]);
  });
  while (!rest.empty()) {
    const auto next = std::find_if(rest.begin(), rest.end(), [&](uint32_t i) {
      return MayHappen(i) && WouldSucceed(optional_[i], StateFor(optional_[i]));
    });
    if (next == rest.end()) {
      for (uint32_t i : rest) {
        // Some other account may lack the money, which another unknown operation may have brought.
        if (optional_[i].kind == OpKind::kTransfer) inexact_ = true;
      }
      Undo(frame);
      return false;
    }
    TakeOptional(*next);
    rest.erase(next);
  }
  return true;
}

bool GroupSearch::StepBlocks(Frame* frame) {
  if (frame->moves == nullptr) FindMoves(frame);
  while (!frame->moves->empty()) {
    const Move move = std::move(frame->moves->back());
    frame->moves->pop_back();
    const uint32_t i = links_[move.link].op;
    if (!CarryOutBlock(frame, move.block)) continue;
    if (!Agrees(required_[i], StateFor(required_[i]))) {
      Undo(frame);
      continue;
    }
    Take(frame, move.link);
    return true;
  }
  return false;
}

std::vector<Operation> GroupSearch::Order() const {
  std::vector<Operation> order;
  for (size_t k = 0; k < frames_.size(); ++k) {
    const Frame& frame = frames_[k];
    const size_t end = k + 1 < frames_.size() ? frames_[k + 1].blocks_size : done_blocks_.size();
    for (size_t b = frame.blocks_size; b < end; ++b) order.push_back(optional_[done_blocks_[b]]);
    if (frame.took_required) order.push_back(required_[links_[frame.chosen].op]);
  }
  return order;
}

}  // namespace bank::checker
