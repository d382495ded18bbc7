#include "branch/ledger/session_holders.h"

#include <iterator>

#include "branch/ledger/command.h"

namespace bank::ledger {

void Holders::Add(SessionOwner owner, Stake* stake) {
  const bool branches = IsBranchSession(stake->id);
  std::unique_ptr<Holder>& found = branches ? branches_ : holders_[owner];
  if (found == nullptr) {
    found = std::make_unique<Holder>();
    found->owner = owner;
    found->branches = branches;
  }
  Holder* const holder = stake->holder = found.get();
  stake->used = ++uses_;
  stake->place = holder->by_use.insert(holder->by_use.end(), stake);
  Touch(holder);
}

void Holders::Remove(Stake* stake) {
  Holder* const holder = stake->holder;
  holder->by_use.erase(stake->place);
  holder->remembered -= stake->remembered;
  if (!holder->by_use.empty() || holder->branches) return Touch(holder);
  Unrank(holder);
  changed_.erase(holder);
  holders_.erase(holder->owner);
}

void Holders::Use(Stake* stake) {
  Holder* const holder = stake->holder;
  stake->used = ++uses_;
  if (holder->by_use.front() == stake) Touch(holder);
  holder->by_use.splice(holder->by_use.end(), holder->by_use, stake->place);
}

void Holders::Count(Stake* stake, int64_t change) {
  stake->remembered += static_cast<uint64_t>(change);
  stake->holder->remembered += static_cast<uint64_t>(change);
  Touch(stake->holder);
}

const Holders::Holder* Holders::Find(SessionOwner owner) const {
  const auto found = holders_.find(owner);
  return found == holders_.end() ? nullptr : found->second.get();
}

const Holders::Holder* Holders::MostSessions() {
  Rerank();
  return by_sessions_.empty() ? nullptr : by_sessions_.begin()->holder;
}

const Holders::Stake* Holders::MostRemembered(const Stake* in_use) {
  Rerank();
  for (const Rank& rank : by_remembered_) {
    const Stake* const first = rank.holder->by_use.front();
    if (first != in_use) return first;  // else it is the only one of its holder's
  }
  const Stake* const first = FirstOfBranches();
  return first != in_use ? first : nullptr;
}

const Holders::Stake* Holders::FirstOfBranches() const {
  return branches_ == nullptr || branches_->by_use.empty() ? nullptr : branches_->by_use.front();
}

void Holders::Touch(Holder* holder) {
  if (holder->branches || holder->changed) return;
  holder->changed = true;
  changed_.insert(holder);
}

void Holders::Unrank(Holder* holder) {
  if (holder->ranked_used == 0) return;
  by_sessions_.erase({holder->ranked_count, holder->ranked_used, holder});
  by_remembered_.erase({holder->ranked_remembered, holder->ranked_used, holder});
  holder->ranked_used = 0;
}

void Holders::Rerank() {
  for (Holder* holder : changed_) {
    Unrank(holder);
    holder->changed = false;
    holder->ranked_used = holder->by_use.front()->used;
    holder->ranked_count = holder->by_use.size();
    holder->ranked_remembered = holder->remembered;
    by_sessions_.insert({holder->ranked_count, holder->ranked_used, holder});
    by_remembered_.insert({holder->ranked_remembered, holder->ranked_used, holder});
  }
  changed_.clear();
}

}  // namespace bank::ledger
