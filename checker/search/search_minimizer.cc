#include "checker/search/search_minimizer.h"

#include <algorithm>
#include <tuple>

#include "checker/search/contradiction.h"
#include "checker/search/quiet_sums.h"

namespace bank::checker {
namespace {

constexpr size_t kTriedPairsOf = 30;  // each try is a search
constexpr size_t kStretchMax = 256;
constexpr uint64_t kTryStatesMax = 50'000;
constexpr std::chrono::milliseconds kTryTime{200};

// The history as it stood at `now`: what was not over then may or may not have happened.
std::vector<Operation> Until(const std::vector<Operation>& operations, int64_t now) {
  std::vector<Operation> some;
  for (Operation op : operations) {
    if (op.invoke_ns > now) continue;
    if (IsRequired(op) && op.return_ns > now) {
      if (!op.took_effect()) continue;
      op.fate = Fate::kInfo;
      op.return_ns = kNever;
    }
    some.push_back(op);
  }
  return some;
}

// What of the history can matter to one who came at `start` and does not know what was there: what
// was over is gone, and what was under way may or may not be part of what is found.
std::vector<Operation> Since(const std::vector<Operation>& operations, int64_t start) {
  std::vector<Operation> some;
  for (Operation op : operations) {
    if (IsRequired(op) && op.invoke_ns < start) {
      if (op.return_ns < start || !op.took_effect()) continue;
      op.fate = Fate::kInfo;
      op.return_ns = kNever;
    }
    some.push_back(op);
  }
  return some;
}

class Minimizer {
 public:
  Minimizer(const InitialState& initial, const AccountNames& names,
            const GroupSearch::Options& options)
      : initial_(initial), names_(names), options_(options) {}

  std::vector<Operation> Run(const std::vector<Operation>& group) {
    // Linearizability is closed under prefixes: the shortest one that fails shows where it fails.
    std::vector<int64_t> ends;
    for (const Operation& op : group) {
      if (IsRequired(op)) ends.push_back(op.return_ns);
    }
    std::sort(ends.begin(), ends.end());
    size_t low = 0;
    size_t high = ends.size() - 1;
    while (low < high) {
      const size_t middle = (low + high) / 2;
      if (Fails(Until(group, ends[middle]), true)) {
        high = middle;
      } else {
        low = middle + 1;
      }
    }
    std::vector<Operation> part = Until(group, ends[low]);
    // A late stretch of it that fails whatever was there before is easier to read.
    bool from_the_start = true;
    std::vector<Operation> required = Required(part);
    for (size_t k = 1; k < required.size() && k <= kStretchMax; k *= 2) {
      const std::vector<Operation> stretch = Since(part, required[required.size() - k].invoke_ns);
      if (!Fails(stretch, false)) continue;
      part = stretch;
      from_the_start = false;
      required = Required(part);
      break;
    }
    std::vector<Operation> optional;
    for (const Operation& op : part) {
      if (!IsRequired(op)) optional.push_back(op);
    }
    // What is left out of the proof may have happened, whatever it was answered.
    const auto shows = [&](const std::vector<Operation>& some) {
      std::vector<Operation> all = optional;
      size_t next = 0;
      for (const Operation& op : required) {
        if (next < some.size() && some[next].process == op.process && some[next].id == op.id) {
          all.push_back(op);
          ++next;
        } else if (op.took_effect()) {
          all.push_back(op);
          all.back().fate = Fate::kInfo;
          all.back().return_ns = kNever;
        }
      }
      return Fails(all, from_the_start);
    };
    return Minimize(required, shows, kTriedPairsOf);
  }

 private:
  static std::vector<Operation> Required(const std::vector<Operation>& operations) {
    std::vector<Operation> required;
    for (const Operation& op : operations) {
      if (IsRequired(op)) required.push_back(op);
    }
    std::sort(required.begin(), required.end(), [](const Operation& a, const Operation& b) {
      return std::tuple(a.invoke_ns, a.process, a.id) < std::tuple(b.invoke_ns, b.process, b.id);
    });
    return required;
  }

  // Nothing is known of what was there before a stretch that is not from the start.
  bool Fails(const std::vector<Operation>& operations, bool from_the_start) {
    if (options_.budget.IsOver()) return false;
    GroupSearch::Options once = options_;
    once.states_max = std::min<uint64_t>(options_.states_max, kTryStatesMax);
    once.budget = options_.budget.AtMost(kTryTime);
    if (!from_the_start) {
      once.whole = false;
      once.money = kAnyMoney;
      once.accounts = {};
    }
    return SearchGroup(operations, from_the_start ? initial_ : InitialState{}, names_, once,
                       nullptr)
               .answer == SearchAnswer::kViolation;
  }

  const InitialState& initial_;
  const AccountNames& names_;
  const GroupSearch::Options options_;
};

}  // namespace

GroupAnswer SearchGroup(const std::vector<Operation>& group, const InitialState& initial,
                        const AccountNames& names, const GroupSearch::Options& options,
                        std::vector<Operation>* order) {
  GroupAnswer result;
  if (SumsContradict(group, initial)) {
    result.answer = SearchAnswer::kViolation;
    return result;
  }
  GroupSearch::Options way = options;
  for (;; way.everywhere = true) {
    GroupSearch search(group, initial, names, way);
    result.answer = search.Run();
    result.states += search.states();
    if (result.answer == SearchAnswer::kLinearizable && order != nullptr) *order = search.Order();
    const bool certain = way.everywhere || !search.inexact();
    if (result.answer != SearchAnswer::kViolation || certain) break;
  }
  return result;
}

std::vector<Operation> MinimizeGroup(const std::vector<Operation>& group,
                                     const InitialState& initial, const AccountNames& names,
                                     const GroupSearch::Options& options) {
  return Minimizer(initial, names, options).Run(group);
}

}  // namespace bank::checker
