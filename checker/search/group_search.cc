#include "checker/search/group_search.h"

#include <algorithm>
#include <limits>
#include <map>
#include <tuple>

#include "checker/model/end_state.h"
#include "checker/search/mix.h"

namespace bank::checker {
namespace {

constexpr size_t kSumTablesMax = 256;  // tables of sums kept at a time

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
  uint32_t blocks_size = 0;  // of done_blocks_ before the choice
  uint32_t meaning = 0;      // kPlain: of the answer at `at`, the next one to be tried
  size_t optional_at = 0;
  uint64_t last_index = 0;
  uint64_t since = 0;
  uint64_t taken = 0;
  GroupState::Mark before;
  std::unique_ptr<std::vector<Move>> moves;  // kBlocks, the next one last
};

GroupSearch::~GroupSearch() = default;

GroupSearch::GroupSearch(const std::vector<Operation>& operations, const InitialState& initial,
                         const AccountNames& names, const Options& options)
    : names_(names), options_(options), pending_list_(required_) {
  for (const Operation& op : operations) {
    (IsRequired(op) ? required_ : optional_).push_back(op);
  }
  const auto by_invocation = [](const Operation& a, const Operation& b) {
    return std::tuple(a.invoke_ns, a.process, a.id) < std::tuple(b.invoke_ns, b.process, b.id);
  };
  std::sort(required_.begin(), required_.end(), by_invocation);
  std::sort(optional_.begin(), optional_.end(), by_invocation);
  for (const auto& [account, balance] : initial.balances) {
    state_.Begin(account, {AccountView::kPresent, balance});
  }
  state_.Begin(options_.money, options_.accounts);
  // Of several optional operations with one content, the earliest goes first.
  std::map<std::tuple<OpKind, uint32_t, uint32_t, int64_t>, size_t> newest;
  earlier_.assign(optional_.size(), SIZE_MAX);
  for (size_t i = 0; i < optional_.size(); ++i) {
    const Operation& op = optional_[i];
    auto [it, fresh] = newest.try_emplace({op.kind, op.account, op.to, op.amount}, i);
    if (!fresh) earlier_[i] = std::exchange(it->second, i);
  }
  std::map<std::tuple<OpKind, uint32_t, uint32_t, int64_t, Answer, bool, int64_t>,
           std::vector<uint32_t>>
      alike;
  for (uint32_t i = 0; i < required_.size(); ++i) {
    const Operation& op = required_[i];
    if (op.has_index || !op.is_write()) continue;
    alike[{op.kind, op.account, op.to, op.amount, op.answer, op.has_balance, op.balance}].push_back(
        i);
  }
  twins_.assign(required_.size(), 0);
  uint32_t number = 0;
  for (const auto& [what, members] : alike) {
    ++number;
    for (uint32_t i : members) twins_[i] = members.size() > 1 ? number : 0;
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
    if (!tells || !state_.knows(op.account) || op.answer == Answer::kOverflow ||
        (op.to != kNoAccount && !state_.knows(op.to))) {
      inexact_ = true;
    }
  }
  // Put right before the answer that needs it, an operation may lack a position that it had
  // earlier.
  if ((options_.dense || options_.whole) && !optional_.empty()) inexact_ = true;
  pending_list_.MakeList();
  if (options_.positions) pending_list_.MakePlaces();
}

BankView GroupSearch::StateFor(const Operation& op) const {
  BankView state;
  state.account = state_.ViewOf(op.account);
  if (op.kind == OpKind::kTransfer) state.to = state_.ViewOf(op.to);
  state.Recognize(op, names_);
  state.money = state_.money();
  state.accounts = state_.accounts();
  state.accounts_max = options_.accounts_max;
  return state;
}

// Nothing that names an earlier position is left, and there is room for what names none.
bool GroupSearch::InPlace(uint32_t required) const {
  const Operation& op = required_[required];
  if (!pending_list_.IsNextPlace(required)) return false;
  if (!options_.dense) return true;
  if (!pending_list_.HasPlace(required))
    return !op.is_read() || pending_list_.IsReached(op.minimum_index);
  const uint64_t own = op.is_read() ? 0 : 1;
  return op.index >= taken_ + own && (since_ == 0 || op.index >= last_index_ + since_ + own);
}

// Of operations that are alike and may both come now, the one that is over first comes first.
bool GroupSearch::HasTwinBefore(uint32_t link) const {
  const uint32_t i = pending_list_.at(link).op;
  if (twins_[i] == 0) return false;
  const auto end = [&](uint32_t op) { return std::pair(required_[op].return_ns, op); };
  for (uint32_t at = pending_list_.First(); at != 0 && !pending_list_.at(at).is_return;
       at = pending_list_.at(at).next) {
    const uint32_t other = pending_list_.at(at).op;
    if (other != i && twins_[other] == twins_[i] && end(other) < end(i)) return true;
  }
  return false;
}

void GroupSearch::Begin(Frame* frame) {
  frame->before = state_.Here();
  frame->blocks_size = static_cast<uint32_t>(done_blocks_.size());
  frame->last_index = last_index_;
  frame->since = since_;
  frame->taken = taken_;
  frame->took_required = false;
}

void GroupSearch::Take(Frame* frame, uint32_t link, const BankView& after) {
  const uint32_t i = pending_list_.at(link).op;
  const Operation& op = required_[i];
  frame->chosen = link;
  frame->took_required = true;
  state_.Done(i);
  state_.Carry(op, after, options_.whole);
  pending_list_.Take(link);
  if (!options_.dense) return;
  if (op.is_positioned()) ++taken_;
  if (op.has_index) {
    if (!op.is_read() || op.index > last_index_) since_ = 0;
    last_index_ = std::max(last_index_, op.index);
  } else if (op.is_positioned()) {
    ++since_;
  } else if (op.minimum_index >= last_index_ + since_) {
    last_index_ = op.minimum_index;
    since_ = 0;
  }
}

void GroupSearch::TakeOptional(size_t optional) {
  const Operation& op = optional_[optional];
  state_.Done(required_.size() + optional);
  BankView state = StateFor(op);
  Carry(AsDone(op), &state);
  state_.Carry(op, state, options_.whole);
  done_[optional] = true;
  ++taken_;
  ++since_;
  if (op.has_key()) used_keys_.insert({op.session, op.sequence});
  done_blocks_.push_back(static_cast<uint32_t>(optional));
}

void GroupSearch::Undo(Frame* frame) {
  state_.BackTo(frame->before);
  while (done_blocks_.size() > frame->blocks_size) {
    const uint32_t optional = done_blocks_.back();
    done_blocks_.pop_back();
    done_[optional] = false;
    used_keys_.erase({optional_[optional].session, optional_[optional].sequence});
  }
  last_index_ = frame->last_index;
  since_ = frame->since;
  taken_ = frame->taken;
  if (!frame->took_required) return;
  pending_list_.PutBack(frame->chosen);
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
  frames_.emplace_back().at = pending_list_.First();
  Begin(&frames_.back());
  while (left != 0 || !EndFits()) {
    if ((++steps & 1023) == 0 && options_.budget.IsOver()) {
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
    Fingerprint reached = state_.fingerprint();
    if (options_.dense) reached.Toggle(Mix(since_ ^ (last_index_ << 20)) | 1);
    if (!seen_.insert(reached.pair()).second) {
      Undo(&frame);
      continue;
    }
    if (frame.took_required) --left;
    if (seen_.size() >= options_.states_max) return SearchAnswer::kUnknown;
    Frame& next = frames_.emplace_back();
    next.at = pending_list_.First();
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
  for (uint32_t link = frame->at; link != 0 && !pending_list_.at(link).is_return;
       link = pending_list_.at(link).next) {
    const uint32_t i = pending_list_.at(link).op;
    const Operation& op = required_[i];
    if (op.took_effect()) continue;
    // Writes without a position may have to come before it, to find room.
    // What it tells of the bank as a whole depends on where it stands.
    if (options_.whole &&
        (op.answer == Answer::kOverflow || op.answer == Answer::kTooManyAccounts)) {
      continue;
    }
    if (options_.dense && (!op.is_read() || (op.has_index && op.index != last_index_) ||
                           op.minimum_index > last_index_)) {
      continue;
    }
    if (state_.ViewOf(op.account).presence == AccountView::kUnknown || !InPlace(i)) continue;
    // It may tell something about the receiver that only later operations bring about.
    if (op.to != kNoAccount && state_.ViewOf(op.to).presence == AccountView::kUnknown) continue;
    BankView state = StateFor(op);
    if (!CarryOne(op, 0, &state)) continue;
    Take(frame, link, state);
    return true;
  }
  return false;
}

bool GroupSearch::StepPlain(Frame* frame) {
  while (frame->at != 0 && !pending_list_.at(frame->at).is_return) {
    const uint32_t link = frame->at;
    const uint32_t i = pending_list_.at(link).op;
    if (InPlace(i) && !HasTwinBefore(link)) {
      BankView state = StateFor(required_[i]);
      if (CarryOne(required_[i], frame->meaning, &state)) {
        ++frame->meaning;
        Take(frame, link, state);
        return true;
      }
    }
    frame->at = pending_list_.at(link).next;
    frame->meaning = 0;
  }
  return false;
}

bool GroupSearch::StepAnywhere(Frame* frame) {
  const uint32_t first_return = pending_list_.FirstReturn();
  const int64_t until =
      first_return == 0 ? kNever : required_[pending_list_.at(first_return).op].return_ns;
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
  if (sums_.size() > kSumTablesMax) sums_.clear();
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
  const uint32_t first_return = pending_list_.FirstReturn();
  const int64_t until =
      first_return == 0 ? kNever : required_[pending_list_.at(first_return).op].return_ns;
  for (uint32_t link = pending_list_.First(); link != first_return;
       link = pending_list_.at(link).next) {
    const uint32_t i = pending_list_.at(link).op;
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
    const uint32_t i = pending_list_.at(move.link).op;
    if (!CarryOutBlock(frame, move.block)) continue;
    BankView state = StateFor(required_[i]);
    if (!Agrees(required_[i], state)) {
      Undo(frame);
      continue;
    }
    Carry(required_[i], &state);
    Take(frame, move.link, state);
    return true;
  }
  return false;
}

// Whether a branch may say this of itself in the state that is reached.
bool GroupSearch::EndFits() const {
  if (options_.end == nullptr) return true;
  if (std::max(last_index_ + since_, taken_) > options_.end->log_index) return false;
  std::vector<AccountView> accounts;
  for (uint32_t account = 0; account < names_.size(); ++account) {
    if (!names_.is_bad(account)) accounts.push_back(state_.ViewOf(account));
  }
  return FitOf(*options_.end, EndStateOf(accounts, state_.money(), state_.accounts())) ==
         Fit::kFits;
}

std::vector<Operation> GroupSearch::Order() const {
  std::vector<Operation> order;
  for (size_t k = 0; k < frames_.size(); ++k) {
    const Frame& frame = frames_[k];
    const size_t end = k + 1 < frames_.size() ? frames_[k + 1].blocks_size : done_blocks_.size();
    for (size_t b = frame.blocks_size; b < end; ++b) order.push_back(optional_[done_blocks_[b]]);
    if (frame.took_required) order.push_back(required_[pending_list_.at(frame.chosen).op]);
  }
  return order;
}

}  // namespace bank::checker
