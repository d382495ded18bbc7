#include "checker/placement.h"

#include <algorithm>
#include <map>
#include <tuple>

namespace bank::checker {
void Certificate::Repair::Run() {
  Gather();
  if (classes_.empty()) return;
  const BankView state = certificate_.StateFor(op_, world_);
  if (op_.has_balance && state.account.presence == AccountView::kPresent &&
      !(op_.answer == Answer::kOk && op_.kind == OpKind::kOpen) &&
      op_.answer != Answer::kUnknownAccount && op_.answer != Answer::kBadAmount &&
      op_.answer != Answer::kBadAccount) {
    wants_known_ = true;
    wants_ = op_.balance - state.account.balance;
    if (op_.answer == Answer::kOk) wants_ -= ChangeOf(op_, op_.account);
  }
  Choose(0, 0);
}

void Certificate::Repair::Gather() {
  std::map<std::tuple<OpKind, uint32_t, uint32_t, int64_t>, std::vector<uint32_t>> by_content;
  for (uint32_t i = 0; i < certificate_.unknown_.size(); ++i) {
    const Operation& op = certificate_.unknown_[i];
    if (certificate_.is_placed_[i] ||
        std::binary_search(world_.placed.begin(), world_.placed.end(), i)) {
      continue;
    }
    if (op.kind == OpKind::kTransfer) certificate_.inexact_ = true;
    const bool touches =
        op.account == op_.account || op.to == op_.account ||
        (op_.kind == OpKind::kTransfer && (op.account == op_.to || op.to == op_.to)) ||
        op_.answer == Answer::kOverflow;
    if (!touches || op.invoke_ns > op_.return_ns) continue;
    by_content[{op.kind, op.account, op.to, op.amount}].push_back(i);
  }
  for (auto& [content, members] : by_content) {
    std::sort(members.begin(), members.end(), [&](uint32_t a, uint32_t b) {
      return certificate_.unknown_[a].invoke_ns < certificate_.unknown_[b].invoke_ns;
    });
    Class next;
    next.change = ChangeOf(certificate_.unknown_[members[0]], op_.account);
    next.members = std::move(members);
    classes_.push_back(std::move(next));
  }
  uint64_t behind = certificate_.AccountAt(op_.account).observed;
  if (op_.kind == OpKind::kTransfer) {
    behind = std::min(behind, certificate_.AccountAt(op_.to).observed);
  }
  for (auto gap = certificate_.gaps_.rbegin();
       gap != certificate_.gaps_.rend() && gap->first > behind &&
       room_ < certificate_.unknown_.size();
       ++gap) {
    room_ += gap->length;
  }
  Wide up = 0;
  Wide down = 0;
  for (size_t i = classes_.size(); i-- > 0;) {
    const Wide all = classes_[i].change * static_cast<Wide>(classes_[i].members.size());
    (all > 0 ? up : down) += all;
    classes_[i].reach_up = up;
    classes_[i].reach_down = down;
  }
}

void Certificate::Repair::Choose(size_t class_index, Wide change) {
  if (++certificate_.steps_ > certificate_.options_.steps_max ||
      found_->size() > certificate_.options_.worlds_max) {
    certificate_.inexact_ = true;
    return;
  }
  if (class_index == classes_.size()) {
    if (!chosen_.empty()) Try();
    return;
  }
  if (chosen_.size() > room_) return;
  const Class& c = classes_[class_index];
  if (wants_known_ && (wants_ > change + c.reach_up || wants_ < change + c.reach_down)) return;
  const size_t before = chosen_.size();
  Choose(class_index + 1, change);
  for (size_t n = 0; n < c.members.size(); ++n) {
    chosen_.push_back(c.members[n]);
    change += c.change;
    Choose(class_index + 1, change);
  }
  chosen_.resize(before);
}

void Certificate::Repair::Try() {
  World world = world_;
  if (!Order(chosen_, &world)) {
    // Some other account may lack the money, which yet another unknown operation may have brought.
    for (uint32_t i : chosen_) {
      if (certificate_.unknown_[i].kind == OpKind::kTransfer) certificate_.inexact_ = true;
    }
    return;
  }
  if (!Agrees(op_, certificate_.StateFor(op_, world))) return;
  if (!TakeSlots(&world)) return;
  std::sort(world.placed.begin(), world.placed.end());
  for (const World& other : *found_) {
    if (other.placed == world.placed) return;
  }
  found_->push_back(std::move(world));
}

// Carries out all of `rest` in some order, each allowed by the rules.
bool Certificate::Repair::Order(std::vector<uint32_t> rest, World* world) {
  if (rest.empty()) return true;
  if (++certificate_.steps_ > certificate_.options_.steps_max) {
    certificate_.inexact_ = true;
    return false;
  }
  // What brings money goes first: it never hinders the others, short of an overflow.
  std::stable_sort(rest.begin(), rest.end(), [&](uint32_t a, uint32_t b) {
    const auto rank = [&](uint32_t i) {
      switch (certificate_.unknown_[i].kind) {
        case OpKind::kOpen:
          return 0;
        case OpKind::kDeposit:
          return 1;
        case OpKind::kTransfer:
          return 2;
        default:
          return 3;
      }
    };
    return rank(a) < rank(b);
  });
  for (size_t i = 0; i < rest.size(); ++i) {
    const Operation& op = certificate_.unknown_[rest[i]];
    const BankView state = certificate_.StateFor(op, *world);
    if (!WouldSucceed(op, state) || certificate_.KeyTaken(op, *world)) continue;
    World next = *world;
    next.placed.push_back(rest[i]);
    next.newest_invocation = std::max(next.newest_invocation, op.invoke_ns);
    next.changes.push_back({op.account, ChangeOf(op, op.account), op.kind == OpKind::kOpen});
    if (op.kind == OpKind::kTransfer) next.changes.push_back({op.to, op.amount, false});
    if (op.kind == OpKind::kOpen) ++next.accounts;
    if (op.kind != OpKind::kTransfer) next.total += ChangeOf(op, op.account);
    std::vector<uint32_t> others = rest;
    others.erase(others.begin() + static_cast<std::ptrdiff_t>(i));
    if (Order(std::move(others), &next)) {
      *world = std::move(next);
      return true;
    }
  }
  return false;
}

// One unheld position for each operation placed: a matching, found by augmenting paths.
bool Certificate::Repair::TakeSlots(World* world) const {
  const size_t before = world->jobs.size();
  std::vector<Job> wanted;
  for (size_t k = world_.placed.size(); k < world->placed.size(); ++k) {
    const Operation& op = certificate_.unknown_[world->placed[k]];
    // Behind every answer that told a balance it changes: that answer was right without it.
    uint64_t behind = certificate_.AccountAt(op.account).observed;
    if (op.kind == OpKind::kTransfer) {
      behind = std::max(behind, certificate_.AccountAt(op.to).observed);
    }
    int64_t return_min = op_.return_ns;
    Job job;
    job.high = certificate_.last_index_ + 1;
    job.low = job.high;
    for (auto gap = certificate_.gaps_.rbegin(); gap != certificate_.gaps_.rend(); ++gap) {
      return_min = std::min(return_min, gap->return_min);
      if (gap->first <= behind || return_min < op.invoke_ns) break;
      job.low = gap->first;
    }
    wanted.push_back(job);
  }
  const auto place = [&] {
    world->jobs.resize(before);
    for (const Job& job : wanted) {
      world->jobs.push_back(job);
      absl::flat_hash_set<uint64_t> tried;
      if (!TakeSlot(world, world->jobs.size() - 1, &tried)) return false;
    }
    return true;
  };
  if (!place()) return false;
  // They must also stand in the order found; as all have the same latest place, it is enough that
  // none may stand before its predecessor's earliest one.
  bool changed = false;
  for (size_t k = 1; k < wanted.size(); ++k) {
    if (wanted[k].low >= wanted[k - 1].low) continue;
    wanted[k].low = wanted[k - 1].low;
    changed = true;
  }
  if (!changed || place()) return true;
  certificate_.inexact_ = true;  // another order might do
  return false;
}

bool Certificate::Repair::TakeSlot(World* world, size_t job,
                                   absl::flat_hash_set<uint64_t>* tried) const {
  const Job wanted = world->jobs[job];
  auto gap = std::lower_bound(certificate_.gaps_.begin(), certificate_.gaps_.end(), wanted.high,
                              [](const Gap& g, uint64_t high) { return g.first < high; });
  while (gap != certificate_.gaps_.begin()) {
    --gap;
    if (gap->first < wanted.low) break;
    if (!tried->insert(gap->first).second) continue;
    std::vector<size_t> holders;
    for (size_t i = 0; i < world->jobs.size(); ++i) {
      if (i != job && world->jobs[i].gap == gap->first) holders.push_back(i);
    }
    bool free = holders.size() < gap->length;
    for (size_t i = 0; i < holders.size() && !free; ++i) {
      free = TakeSlot(world, holders[i], tried);
    }
    if (!free) continue;
    world->jobs[job].gap = gap->first;
    return true;
  }
  return false;
}

}  // namespace bank::checker
