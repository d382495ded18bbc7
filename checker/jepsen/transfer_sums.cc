#include "checker/jepsen/transfer_sums.h"

#include <algorithm>
#include <bit>
#include <utility>

namespace bank::checker {
namespace {

constexpr size_t kTableMax = 1 << 18;
constexpr size_t kLookUpsMax = 4'000'000;
constexpr size_t kTransferBlocksMax = 4'000;

}  // namespace

TransferSums::TransferSums(std::vector<Free> free, std::vector<Costly> costly)
    : free_(std::move(free)), costly_(std::move(costly)), same_(costly_.size()) {
  for (size_t i = 0; i < free_.size(); ++i) {
    if (i != 0 && free_[i].content == free_[i - 1].content) follows_ |= uint64_t{1} << i;
  }
  for (size_t c = 0; c < costly_.size(); ++c) {
    costly_total_ += costly_[c].steps.size();
    for (size_t i = 0; i < free_.size(); ++i) {
      if (free_[i].content == costly_[c].content) same_[c] |= uint64_t{1} << i;
    }
  }
}

// All sets of the free ones at [from, to).
TransferSums::Parts TransferSums::FreeSets(size_t from, size_t to) const {
  Parts parts(1);
  for (size_t i = from; i < to; ++i) {
    const uint64_t bit = uint64_t{1} << i;
    const bool follows = (follows_ & bit) != 0 && i != from;
    for (size_t k = 0, before = parts.size(); k < before; ++k) {
      if (follows && (parts[k].set & (bit >> 1)) == 0) continue;
      Part more = parts[k];
      more.sum += free_[i].change;
      more.set |= bit;
      parts.push_back(more);
    }
  }
  return parts;
}

// All sets of exactly `count` costly ones, kMany at most: their contents, from 1, as digits.
bool TransferSums::Choose(size_t count, size_t from, const Part& part, Parts* parts) const {
  if (count == 0) {
    parts->push_back(part);
    return parts->size() < kLookUpsMax;
  }
  for (size_t c = from; c < costly_.size(); ++c) {
    Part more = part;
    for (size_t n = 1; n <= std::min(count, costly_[c].steps.size()); ++n) {
      more.sum += costly_[c].change;
      more.costly = more.costly << 16 | (c + 1);
      if (!Choose(count - n, c + 1, more, parts)) return false;
    }
  }
  return true;
}

// All sets of the costly ones at [from, to): how many of each content, as digits of a number whose
// bases are one more than there are.
TransferSums::Parts TransferSums::CostlySets(size_t from, size_t to) const {
  Parts parts(1);
  uint64_t base = 1;
  for (size_t c = from; c < to; ++c) {
    for (size_t k = 0, before = parts.size(); k < before; ++k) {
      for (uint64_t n = 1; n <= costly_[c].steps.size(); ++n) {
        Part more = parts[k];
        more.sum += costly_[c].change * n;
        more.costly += base * n;
        parts.push_back(more);
      }
    }
    base *= costly_[c].steps.size() + 1;
  }
  return parts;
}

TransferSums::Parts TransferSums::Product(const Parts& a, const Parts& b) {
  if (b.size() == 1) return a;
  Parts parts;
  parts.reserve(a.size() * b.size());
  for (const Part& x : a) {
    for (const Part& y : b) parts.push_back({x.sum + y.sum, x.set | y.set, x.costly | y.costly, 0});
  }
  return parts;
}

bool TransferSums::Find(const std::vector<uint64_t>& sums, size_t count,
                        std::vector<Block>* blocks) {
  if (count > costly_total_ || sums.empty()) return true;
  if (count < kMany) {
    Parts chosen;
    if (costly_.size() >= 0xffff || !Choose(count, 0, {}, &chosen)) return false;
    size_t split = (free_.size() + 1) / 2;
    const auto look_ups = [&] {
      return (static_cast<double>(chosen.size() * sums.size())) *
             static_cast<double>(uint64_t{1} << (free_.size() - split));
    };
    while (split < free_.size() && split < 16 &&
           static_cast<double>(uint64_t{1} << split) < look_ups()) {
      ++split;
    }
    if (look_ups() > kLookUpsMax) return false;
    return Match(sums, FreeSets(0, split), Product(chosen, FreeSets(split, free_.size())), false,
                 blocks);
  }
  // Half of what there is to choose goes into the table.
  double table = 1;
  double others = 1;
  size_t free_split = free_.size();
  split_ = costly_.size();
  while (split_ > 0 &&
         table * static_cast<double>(costly_[split_ - 1].steps.size() + 1) <= kTableMax) {
    table *= static_cast<double>(costly_[--split_].steps.size() + 1);
  }
  for (size_t c = 0; c < split_; ++c) others *= static_cast<double>(costly_[c].steps.size() + 1);
  while (free_split > 0 && table * 2 <= kTableMax) {
    table *= 2;
    --free_split;
  }
  others *= static_cast<double>(uint64_t{1} << free_split);
  if (others * static_cast<double>(sums.size()) > kLookUpsMax) return false;
  return Match(sums,
               Product(CostlySets(split_, costly_.size()), FreeSets(free_split, free_.size())),
               Product(CostlySets(0, split_), FreeSets(0, free_split)), true, blocks);
}

// Pairs of a set in `table` and one of `others` that together give one of the sums.
bool TransferSums::Match(const std::vector<uint64_t>& sums, Parts table, const Parts& others,
                         bool many, std::vector<Block>* blocks) {
  // Most sums are in no table: one bit for the top bits of each tells of nearly all of them.
  const int shift = 60 - std::bit_width(table.size());
  std::vector<bool> may_be_there((size_t{1} << (64 - shift)));
  absl::flat_hash_map<uint64_t, uint32_t> heads;
  heads.reserve(table.size());
  for (uint32_t i = 0; i < table.size(); ++i) {
    may_be_there[table[i].sum >> shift] = true;
    const auto [head, fresh] = heads.try_emplace(table[i].sum, i + 1);
    if (fresh) continue;
    table[i].next = head->second;
    head->second = i + 1;
  }
  const size_t most = blocks->size() + kTransferBlocksMax;
  for (size_t s = 0; s < sums.size(); ++s) {
    for (const Part& other : others) {
      const uint64_t wanted = sums[s] - other.sum;
      if (!may_be_there[wanted >> shift]) continue;
      const auto head = heads.find(wanted);
      if (head == heads.end()) continue;
      for (uint32_t at = head->second; at != 0; at = table[at - 1].next) {
        if (Accept(s, table[at - 1], other, many, blocks) && blocks->size() > most) return false;
      }
    }
  }
  return true;
}

bool TransferSums::Accept(size_t sum, const Part& a, const Part& b, bool many,
                          std::vector<Block>* blocks) {
  const uint64_t set = a.set | b.set;
  if ((set & follows_ & ~(set << 1)) != 0) return false;
  Block block;
  block.sum = sum;
  const auto add = [&](size_t content, size_t count) {
    if (count == 0) return true;
    if ((set & same_[content]) != same_[content]) return false;
    const std::vector<uint32_t>& steps = costly_[content].steps;
    block.steps.insert(block.steps.end(), steps.begin(),
                       steps.begin() + static_cast<std::ptrdiff_t>(count));
    block.costly += count;
    return true;
  };
  if (many) {
    for (const auto& [part, from, to] :
         {std::tuple(&a, split_, costly_.size()), std::tuple(&b, size_t{0}, split_)}) {
      uint64_t digits = part->costly;
      for (size_t c = from; c < to; ++c) {
        const uint64_t base = costly_[c].steps.size() + 1;
        if (!add(c, digits % base)) return false;
        digits /= base;
      }
    }
    if (block.costly < kMany) return false;
  } else {
    for (uint64_t digits = a.costly | b.costly; digits != 0;) {
      const uint64_t content = digits & 0xffff;
      size_t count = 0;
      for (; (digits & 0xffff) == content; digits >>= 16) ++count;
      if (!add(content - 1, count)) return false;
    }
  }
  for (size_t i = 0; i < free_.size(); ++i) {
    if ((set >> i & 1) != 0) block.steps.push_back(free_[i].step);
  }
  blocks->push_back(std::move(block));
  return true;
}

}  // namespace bank::checker
