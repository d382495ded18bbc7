#include "checker/jepsen/bank_search.h"

#include <algorithm>
#include <map>
#include <tuple>

#include "checker/jepsen/transfer_order.h"
#include "checker/search/mix.h"

namespace bank::checker {
namespace {

constexpr size_t kNodesMax = 1 << 20;

void Toggle(const std::pair<uint64_t, uint64_t>& by, uint64_t salt,
            std::pair<uint64_t, uint64_t>* mark) {
  mark->first ^= Mix(by.first + salt);
  mark->second ^= Mix(by.second - salt);
}

// A transfer that has to happen anyway, as one of those that are tried with care.
void AddCostly(const TransferSums::Free& free, std::vector<TransferSums::Costly>* costly) {
  auto same = std::find_if(costly->begin(), costly->end(),
                           [&](const auto& c) { return c.content == free.content; });
  if (same == costly->end()) {
    same = costly->insert(same, {free.change, free.content, {}});
  }
  same->steps.insert(same->steps.begin(), free.step);
}

}  // namespace

BankSearch::BankSearch(const BankSteps& bank, const Budget& budget, int64_t patience)
    : bank_(bank), budget_(budget), patience_(patience), index_(bank) {}

void BankSearch::Push(uint32_t node, uint32_t stage) {
  const Node& n = nodes_[node];
  queue_.push({(int64_t{n.cost} + stage) * patience_ - n.done, node, stage});
}

BankSearch::Answer BankSearch::Run() {
  nodes_.emplace_back();
  Push(0, 0);
  while (!queue_.empty()) {
    if (budget_.IsOver()) return Answer::kUnknown;
    const Entry entry = queue_.top();
    queue_.pop();
    if (nodes_[entry.node].frontier == index_.required.size()) {
      if (Finish(entry.node)) return Answer::kExplained;
      continue;
    }
    if (nodes_.size() > kNodesMax) return Answer::kUnknown;
    Expand(entry.node, entry.stage);
  }
  return !is_complete_    ? Answer::kUnknown
         : was_overdrawn_ ? Answer::kOverdrawn
                          : Answer::kViolation;
}

// Required steps that nothing undone has to come before, the one that is over first in front.
std::vector<uint32_t> BankSearch::Candidates(const Node& node) const {
  const uint32_t* ahead = ahead_.data() + node.ahead;
  std::vector<uint32_t> candidates = {index_.required[node.frontier]};
  for (uint32_t k = index_.open_from[node.frontier]; k < index_.open_from[node.frontier + 1]; ++k) {
    const bool done = std::find(ahead, ahead + node.ahead_size, index_.place[index_.open[k]]) !=
                      ahead + node.ahead_size;
    if (!done && index_.open[k] != candidates.front()) candidates.push_back(index_.open[k]);
  }
  std::sort(candidates.begin() + 1, candidates.end(),
            [&](uint32_t a, uint32_t b) { return index_.place[a] < index_.place[b]; });
  return candidates;
}

void BankSearch::Expand(uint32_t node, uint32_t stage) {
  const std::vector<uint32_t> candidates = Candidates(nodes_[node]);
  if (nodes_[node].segment == kNone) return ExpandUnknown(node, candidates);
  const uint32_t forced = candidates.front();
  if (stage == 0) {
    for (uint32_t i : candidates) {
      const bool is_right = bank_.steps[i].is_read() && index_.values[i] == nodes_[node].value;
      if (is_right && Take(node, {{i}, false})) return;  // it changes nothing
    }
    if (!bank_.steps[forced].is_read()) {
      Take(node, {{forced}, false});
      if (bank_.steps[forced].invoke < nodes_[node].first_until) Take(node, {{forced}, true});
    }
  }
  ExpandBlocks(node, stage, candidates);
}

// No read yet: nothing is known of the balances, and nothing can be wrong.
void BankSearch::ExpandUnknown(uint32_t node, const std::vector<uint32_t>& candidates) {
  for (uint32_t i : candidates) {
    if (bank_.steps[i].is_read() || i == candidates.front()) Take(node, {{i}, false});
  }
}

// Sets of transfers that lead to a read, with `stage` ones of unknown outcome.
void BankSearch::ExpandBlocks(uint32_t node, uint32_t stage,
                              const std::vector<uint32_t>& candidates) {
  const uint32_t forced = candidates.front();
  const int64_t until = bank_.steps[forced].over;
  std::vector<uint32_t> reads;
  std::vector<uint64_t> sums;
  std::vector<TransferSums::Free> free;
  std::vector<TransferSums::Costly> costly;
  if (stage != 0) costly = CostlyOnes(nodes_[node], until);
  // One that may also have come before the first read is unlike all others.
  const auto content_of = [&](uint32_t step) {
    return bank_.steps[step].invoke < nodes_[node].first_until ? kNone - 1 - step
                                                               : index_.contents[step];
  };
  for (uint32_t i : candidates) {
    if (bank_.steps[i].is_read()) {
      reads.push_back(i);
      sums.push_back(index_.values[i] - nodes_[node].value);
    } else if (i != forced && bank_.steps[i].from != bank_.steps[i].to) {
      free.push_back({index_.values[i], i, content_of(i)});
    }
  }
  if (reads.empty()) return;
  if (!bank_.steps[forced].is_read()) {
    // What the forced one does is better done by itself.
    std::erase_if(costly, [&](const auto& c) { return c.content == content_of(forced); });
  }
  const bool has_surplus = free.size() > TransferSums::kFreeMax;
  for (; free.size() > TransferSums::kFreeMax && stage != 0; free.pop_back()) {
    AddCostly(free.back(), &costly);  // those that must be over first come first of their content
  }
  if (has_surplus) free.resize(TransferSums::kFreeMax);
  std::stable_sort(free.begin(), free.end(),
                   [](const auto& a, const auto& b) { return a.content < b.content; });
  TransferSums search(std::move(free), std::move(costly));
  std::vector<TransferSums::Block> blocks;
  is_complete_ = search.Find(sums, stage, &blocks) && is_complete_;
  for (TransferSums::Block& block : blocks) {
    if (budget_.IsOver()) return;
    block.steps.push_back(reads[block.sum]);
    Take(node, {std::move(block.steps), false});
  }
  if (stage == TransferSums::kMany) return;
  const bool is_more =
      stage != 0 ? stage < search.costly() : has_surplus || !index_.optional_contents.empty();
  if (is_more) Push(node, stage + 1);
}

std::vector<TransferSums::Costly> BankSearch::CostlyOnes(const Node& node, int64_t until) const {
  std::map<uint32_t, size_t> used;  // by content
  for (uint32_t at = node.costly; at != kNone; at = nodes_[nodes_[at].parent].costly) {
    for (uint32_t k = 0; k < nodes_[at].taken_size; ++k) {
      const uint32_t step = taken_[nodes_[at].taken + k];
      if (bank_.steps[step].is_optional()) ++used[index_.contents[step]];
    }
  }
  std::vector<TransferSums::Costly> costly;
  for (uint32_t content : index_.optional_contents) {
    const std::vector<uint32_t>& steps = index_.optional[content];
    const auto found = used.find(content);
    TransferSums::Costly c;
    c.content = content;
    c.change = index_.values[steps.front()];
    for (size_t k = found == used.end() ? 0 : found->second;
         k < steps.size() && bank_.steps[steps[k]].invoke < until; ++k) {
      c.steps.push_back(steps[k]);
    }
    if (!c.steps.empty()) costly.push_back(std::move(c));
  }
  return costly;
}

// Whether a required step that is not done may still have come before the first read. `ahead`: what
// is done behind the frontier.
bool BankSearch::OverlapsFirstRead(const Node& node, const std::vector<uint32_t>& ahead) const {
  if (node.frontier == index_.required.size()) return false;
  for (uint32_t k = index_.open_from[node.frontier]; k < index_.open_from[node.frontier + 1]; ++k) {
    const BankStep& step = bank_.steps[index_.open[k]];
    if (step.is_read() || step.invoke >= node.first_until) continue;
    if (std::find(ahead.begin(), ahead.end(), index_.place[index_.open[k]]) == ahead.end())
      return true;
  }
  return false;
}

// Adds the node that `move` leads to. False if somebody would be overdrawn.
bool BankSearch::Take(uint32_t parent, const Move& move) {
  Node next = nodes_[parent];
  next.parent = parent;
  next.is_early = move.is_early;
  const uint32_t last = move.steps.back();
  const bool reads = bank_.steps[last].is_read();
  std::vector<uint32_t> ahead(ahead_.begin() + next.ahead,
                              ahead_.begin() + next.ahead + next.ahead_size);
  // What came before the first read, as is known by now, does not count.
  const bool counts = next.segment != kNone && !move.is_early;
  bool takes_optional = false;
  for (uint32_t i : move.steps) {
    const BankStep& step = bank_.steps[i];
    Toggle(index_.marks[i], counts || step.is_read() ? 0 : 1, &next.mark);
    if (counts && !step.is_read()) next.value += index_.values[i];
    if (step.is_optional()) {
      ++next.cost;
      takes_optional = true;
      continue;
    }
    ++next.done;
    ahead.push_back(index_.place[i]);
  }
  if (reads && next.segment == kNone) {
    next.value = index_.values[last];
    next.first_until = bank_.steps[index_.required[nodes_[parent].frontier]].over;
  }
  std::sort(ahead.begin(), ahead.end());
  size_t passed = 0;
  for (; passed < ahead.size() && ahead[passed] == next.frontier; ++passed) ++next.frontier;
  if (next.first_until != 0 && !OverlapsFirstRead(next, ahead)) next.first_until = 0;
  // Ways that differ in what they did since the newest read may differ in who is overdrawn.
  Mark seen = next.mark;
  Toggle({next.value, static_cast<uint64_t>(next.first_until)}, 3, &seen);
  if (!reads && next.segment != kNone && !bank_.overdrafts) {
    Toggle(nodes_[next.segment].mark, 2, &seen);
  }
  if (seen_.contains(seen)) return true;
  if (reads && !EndsSegmentWell(parent, move)) return false;
  seen_.insert(seen);
  const auto id = static_cast<uint32_t>(nodes_.size());
  if (reads) next.segment = id;
  if (takes_optional) next.costly = id;
  next.taken = static_cast<uint32_t>(taken_.size());
  next.taken_size = static_cast<uint32_t>(move.steps.size());
  taken_.insert(taken_.end(), move.steps.begin(), move.steps.end());
  next.ahead = static_cast<uint32_t>(ahead_.size());
  next.ahead_size = static_cast<uint32_t>(ahead.size() - passed);
  ahead_.insert(ahead_.end(), ahead.begin() + static_cast<std::ptrdiff_t>(passed), ahead.end());
  nodes_.push_back(next);
  Push(id, 0);
  return true;
}

// The steps of the nodes behind `from` up to `to`; of those before the first read, and only of
// them, if `early`.
std::vector<size_t> BankSearch::Way(uint32_t from, uint32_t to, bool early) const {
  std::vector<size_t> way;
  for (uint32_t at = to; at != from && at != kNone; at = nodes_[at].parent) {
    if (nodes_[at].is_early != early) continue;
    for (uint32_t k = nodes_[at].taken_size; k-- > 0;) {
      way.push_back(taken_[nodes_[at].taken + k]);
    }
  }
  std::reverse(way.begin(), way.end());
  return way;
}

// Whether the transfers since the newest read lead to the one at the end of `move`, and that in an
// order in which nobody is overdrawn.
bool BankSearch::EndsSegmentWell(uint32_t parent, const Move& move) {
  const uint32_t segment = nodes_[parent].segment;
  if (segment == kNone) return true;
  std::vector<size_t> transfers = Way(segment, parent, false);
  transfers.insert(transfers.end(), move.steps.begin(), move.steps.end() - 1);
  const uint32_t read = taken_[nodes_[segment].taken + nodes_[segment].taken_size - 1];
  const BankBalances before = BalancesOf(bank_, bank_.steps[read]);
  BankBalances balances = before;
  bool overdrawn = false;
  for (size_t i : transfers) {
    Carry(bank_.steps[i], 1, &balances);
    overdrawn = overdrawn || IsOverdrawn(bank_, bank_.steps[i], balances);
  }
  if (balances != BalancesOf(bank_, bank_.steps[move.steps.back()])) return false;  // by chance
  if (!overdrawn) return true;
  const TransferOrder found = OrderTransfers(bank_, transfers, {}, before, Known::kBefore, budget_);
  if (found.answer == TransferOrder::Answer::kFound) return true;
  if (found.answer == TransferOrder::Answer::kUnknown) is_complete_ = false;
  was_overdrawn_ = true;
  return false;
}

// All required steps are done. Puts the transfers between the reads in order; false if those before
// the first or behind the last one have none.
bool BankSearch::Finish(uint32_t node) {
  std::vector<uint32_t> ends;  // the nodes that end with a read, the last one first
  for (uint32_t at = nodes_[node].segment; at != kNone;) {
    ends.push_back(at);
    at = nodes_[nodes_[at].parent].segment;
  }
  std::reverse(ends.begin(), ends.end());
  order_.clear();
  if (ends.empty()) {
    order_ = Way(kNone, node, false);
    return true;
  }
  std::vector<bool> is_used(bank_.steps.size());
  for (size_t i : Way(kNone, node, false)) is_used[i] = true;
  for (size_t i : Way(kNone, node, true)) is_used[i] = true;
  const auto rest = [&](int64_t until) {
    std::vector<size_t> some;
    for (size_t i = 0; i < is_used.size(); ++i) {
      const BankStep& step = bank_.steps[i];
      if (step.is_optional() && !is_used[i] && step.invoke < until) some.push_back(i);
    }
    return some;
  };
  const auto append = [&](const std::vector<size_t>& transfers, const std::vector<size_t>& others,
                          const BankBalances& known, Known side) {
    const TransferOrder found = OrderTransfers(bank_, transfers, others, known, side, budget_);
    for (size_t i : found.order) is_used[i] = true;
    order_.insert(order_.end(), found.order.begin(), found.order.end());
    if (found.answer == TransferOrder::Answer::kFound) return true;
    if (found.answer == TransferOrder::Answer::kUnknown) is_complete_ = false;
    was_overdrawn_ = true;
    return false;
  };
  const auto read_of = [&](uint32_t end) {
    return taken_[nodes_[end].taken + nodes_[end].taken_size - 1];
  };

  std::vector<size_t> transfers = Way(kNone, nodes_[ends.front()].parent, false);
  const std::vector<size_t> early = Way(kNone, node, true);
  transfers.insert(transfers.end(), early.begin(), early.end());
  BankBalances balances = BalancesOf(bank_, bank_.steps[read_of(ends.front())]);
  // What others did not have to wait for may have come before the first read too.
  int64_t until = kNever;
  const std::vector<bool> before = [&] {
    std::vector<bool> some(bank_.steps.size());
    for (size_t i : transfers) some[i] = true;
    return some;
  }();
  for (uint32_t i : index_.required) {
    if (!before[i]) {
      until = bank_.steps[i].over;
      break;
    }
  }
  if (!append(transfers, rest(until), balances, Known::kAfter)) return false;
  order_.push_back(read_of(ends.front()));
  for (size_t k = 1; k <= ends.size(); ++k) {
    const bool is_last = k == ends.size();
    transfers = Way(ends[k - 1], is_last ? node : ends[k], false);
    if (!is_last) transfers.pop_back();
    // Only behind the last read nobody counts what else has happened.
    const std::vector<size_t> others = is_last ? rest(kNever) : std::vector<size_t>();
    if (!append(transfers, others, balances, Known::kBefore)) return false;
    if (is_last) break;
    order_.push_back(read_of(ends[k]));
    balances = BalancesOf(bank_, bank_.steps[read_of(ends[k])]);
  }
  return true;
}

}  // namespace bank::checker
