#include "checker/course/reachable_sums.h"

#include <algorithm>
#include <numeric>

namespace bank::checker::course {
namespace {

// A set of numbers from 0.
class BitSet {
 public:
  explicit BitSet(size_t size) : words_(size / 64 + 1) {}

  void Add(size_t number) { words_[number / 64] |= uint64_t{1} << number % 64; }
  bool Has(size_t number) const { return (words_[number / 64] >> number % 64 & 1) != 0; }

  // Every number of `other`, which has the same size, plus `by`; none leaves the set's range.
  void AddShifted(const BitSet& other, ptrdiff_t by) {
    const size_t far = static_cast<size_t>(by < 0 ? -by : by);
    const size_t words = far / 64;
    const size_t bits = far % 64;
    const size_t size = words_.size();
    for (size_t to = 0; to + words < size; ++to) {
      if (by >= 0) {
        const size_t i = size - 1 - to;
        words_[i] |= other.words_[i - words] << bits;
        if (bits != 0 && i > words) words_[i] |= other.words_[i - words - 1] >> (64 - bits);
      } else {
        words_[to] |= other.words_[to + words] >> bits;
        if (bits != 0 && to + words + 1 < size)
          words_[to] |= other.words_[to + words + 1] << (64 - bits);
      }
    }
  }

 private:
  std::vector<uint64_t> words_;
};

}  // namespace

std::optional<bool> CanReach(int64_t start, const std::vector<Chain>& chains, size_t own,
                             size_t done, int64_t amount) {
  constexpr Wide kSumsMax = 1 << 23;
  Wide wanted = Wide(amount) - start;
  for (size_t i = 0; i < done; ++i) {
    if (Adds(chains[own][i])) wanted -= chains[own][i].amount;
  }
  // What each of the others may have added, and the range of what all of them may.
  std::vector<std::vector<Wide>> prefixes;
  Wide least = 0;
  Wide most = 0;
  int64_t unit = 0;
  for (size_t c = 0; c < chains.size(); ++c) {
    if (c == own) continue;
    std::vector<Wide> sums = {0};
    for (const Step& step : chains[c]) {
      if (!Adds(step)) continue;
      sums.push_back(sums.back() + step.amount);
      unit = std::gcd(unit, step.amount);
    }
    least += *std::min_element(sums.begin(), sums.end());
    most += *std::max_element(sums.begin(), sums.end());
    if (sums.size() > 1) prefixes.push_back(std::move(sums));
  }
  if (wanted < least || wanted > most || (unit == 0 ? wanted != 0 : wanted % unit != 0))
    return false;
  if (unit == 0) return true;
  if ((most - least) / unit >= kSumsMax) return std::nullopt;
  const auto at = [&](Wide sum) { return static_cast<size_t>((sum - least) / unit); };
  BitSet sums(at(most) + 1);
  sums.Add(at(0));
  for (const std::vector<Wide>& chain : prefixes) {
    BitSet more(at(most) + 1);
    for (const Wide prefix : chain) more.AddShifted(sums, static_cast<ptrdiff_t>(prefix / unit));
    sums = std::move(more);
  }
  return sums.Has(at(wanted));
}

}  // namespace bank::checker::course
