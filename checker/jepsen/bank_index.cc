#include "checker/jepsen/bank_index.h"

#include <algorithm>
#include <map>
#include <random>
#include <tuple>

namespace bank::checker {

BankIndex::BankIndex(const BankSteps& bank) {
  std::mt19937_64 random(20261121);
  std::vector<uint64_t> weights(bank.accounts);
  for (uint64_t& weight : weights) weight = random();
  const size_t count = bank.steps.size();
  values.resize(count);
  contents.resize(count);
  place.resize(count);
  std::map<std::tuple<uint32_t, uint32_t, int64_t>, uint32_t> known;
  for (uint32_t i = 0; i < count; ++i) {
    const BankStep& step = bank.steps[i];
    marks.emplace_back(random(), random());
    if (!step.is_optional()) required.push_back(i);
    if (step.is_read()) {
      for (size_t a = 0; a < step.balances.size(); ++a) {
        values[i] += weights[a] * static_cast<uint64_t>(step.balances[a]);
      }
      continue;
    }
    values[i] = static_cast<uint64_t>(step.amount) * (weights[step.to] - weights[step.from]);
    contents[i] =
        known.try_emplace({step.from, step.to, step.amount}, static_cast<uint32_t>(known.size()))
            .first->second;
  }
  optional.resize(known.size());
  std::vector<uint32_t> by_begin(count);
  for (uint32_t i = 0; i < count; ++i) by_begin[i] = i;
  std::sort(by_begin.begin(), by_begin.end(),
            [&](uint32_t a, uint32_t b) { return bank.steps[a].invoke < bank.steps[b].invoke; });
  for (uint32_t i : by_begin) {
    const BankStep& step = bank.steps[i];
    // One that leads nowhere explains nothing.
    if (step.is_optional() && step.from != step.to) optional[contents[i]].push_back(i);
  }
  for (uint32_t content = 0; content < optional.size(); ++content) {
    if (!optional[content].empty()) optional_contents.push_back(content);
  }
  std::sort(required.begin(), required.end(),
            [&](uint32_t a, uint32_t b) { return bank.steps[a].over < bank.steps[b].over; });
  for (uint32_t k = 0; k < required.size(); ++k) place[required[k]] = k;
  std::vector<uint32_t> now;
  auto next = by_begin.begin();
  for (const uint32_t forced : required) {
    const int64_t until = bank.steps[forced].over;
    for (; next != by_begin.end() && bank.steps[*next].invoke < until; ++next) {
      if (!bank.steps[*next].is_optional()) now.push_back(*next);
    }
    open_from.push_back(static_cast<uint32_t>(open.size()));
    open.insert(open.end(), now.begin(), now.end());
    std::erase(now, forced);
  }
  open_from.push_back(static_cast<uint32_t>(open.size()));
}

}  // namespace bank::checker
