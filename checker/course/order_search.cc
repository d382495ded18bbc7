#include "checker/course/order_search.h"

#include <algorithm>
#include <limits>
#include <map>
#include <numeric>
#include <tuple>

#include "absl/container/flat_hash_set.h"

namespace bank::checker::course {
namespace {

constexpr int64_t kMax = std::numeric_limits<int64_t>::max();

// What is left of a chain; equal rests are one.
struct Rest {
  Step step;
  uint32_t next = 0;
  Wide gain = 0;  // of all its steps: what they add, and what they take
  Wide loss = 0;
  int64_t unit = 0;         // the greatest common divisor of their changes
  bool looks = false;       // some step of it must see something
  bool looks_next = false;  // some step of it is a kSee:
  Wide due = 0;             // what the others must have brought the balance to when it has its turn
  uint64_t key[2] = {0, 0};
};

uint64_t MixBits(uint64_t x) {
  x ^= x >> 30;
  x *= 0xbf58476d1ce4e5b9ULL;
  x ^= x >> 27;
  x *= 0x94d049bb133111ebULL;
  return x ^ (x >> 31);
}

// The rest with the number 0 is empty.
class Rests {
 public:
  Rests() : all_(1) {}

  uint32_t Of(const Chain& chain) {
    uint32_t rest = 0;
    for (size_t i = chain.size(); i-- > 0;) rest = Before(chain[i], rest);
    return rest;
  }
  const Rest& operator[](uint32_t rest) const { return all_[rest]; }

 private:
  uint32_t Before(const Step& step, uint32_t next) {
    const auto [known, is_new] =
        numbers_.try_emplace({static_cast<int>(step.kind), step.amount, next}, all_.size());
    if (!is_new) return known->second;
    Rest rest = all_[next];
    rest.step = step;
    rest.next = next;
    if (Adds(step)) {
      rest.unit = std::gcd(rest.unit, step.amount);
      (step.amount > 0 ? rest.gain : rest.loss) += step.amount;
      rest.due -= step.amount;
    } else {
      rest.looks = true;
      if (step.kind == Step::Kind::kSee) {
        rest.looks_next = true;
        rest.due = step.amount;
      }
    }
    rest.key[0] = MixBits(2 * all_.size() + 1);
    rest.key[1] = MixBits(rest.key[0] ^ 0x9e3779b97f4a7c15ULL);
    all_.push_back(rest);
    return known->second;
  }

  std::vector<Rest> all_;
  std::map<std::tuple<int, int64_t, uint32_t>, uint32_t> numbers_;
};

class Search {
 public:
  Search(int64_t start, const std::vector<Chain>& chains, const std::function<bool()>& out_of_time)
      : out_of_time_(out_of_time) {
    State& state = start_;
    state.balance = start;
    Wide end = start;
    Wide sum = 0;
    size_t count = 0;
    bool drifts = false;
    for (const Chain& chain : chains) {
      state.rests.push_back(rests_.Of(chain));
      for (const Step& step : chain) {
        if (Adds(step)) {
          end += step.amount;
          sum += step.amount < 0 ? -Wide(step.amount) : Wide(step.amount);
          ++count;
        }
        drifts = drifts || step.kind == Step::Kind::kDrift;
      }
    }
    if (count != 0) typical_ = static_cast<int64_t>(sum / static_cast<Wide>(count)) + 1;
    may_end_ = drifts || (end >= 0 && end <= kMax);
  }

  // Tries again and again from the start, each time twice as long and less bound to what looks
  // best; the first try that comes to its end without an order has seen all there is.
  OrderFound Run() {
    if (!may_end_) return OrderFound::kNo;
    for (size_t limit = kStatesFirst; limit <= kStatesMax; limit *= 2) {
      const OrderFound found = Try(limit);
      if (found != OrderFound::kOutOfTime || is_over_) return found;
      noise_ = noise_ % 4 + 1;
    }
    return OrderFound::kOutOfTime;
  }

 private:
  static constexpr int kFill = 8;
  static constexpr size_t kStatesFirst = 1'000;
  static constexpr size_t kStatesMax = 2'048'000;

  OrderFound Try(size_t limit) {
    seen_.clear();
    frames_.clear();
    Push(start_);
    size_t steps = 0;
    while (!found_ && !frames_.empty()) {
      if (++steps % 64 == 0 && out_of_time_()) {
        is_over_ = true;
        return OrderFound::kOutOfTime;
      }
      if (seen_.size() > limit) return OrderFound::kOutOfTime;
      Frame& frame = frames_.back();
      if (frame.tried == frame.choices.size()) {
        frames_.pop_back();
        continue;
      }
      State next = frame.state;
      const size_t chain = frame.choices[frame.tried++].second;
      next.balance += rests_[next.rests[chain]].step.amount;
      next.rests[chain] = rests_[next.rests[chain]].next;
      Push(std::move(next));
    }
    return found_ ? OrderFound::kYes : OrderFound::kNo;
  }

  struct State {
    Wide balance = 0;
    std::vector<uint32_t> rests;
  };
  struct Frame {
    State state;
    std::vector<std::pair<Wide, size_t>> choices;  // how soon it is due; the chain
    size_t tried = 0;
  };

  bool Sees(const Step& step, Wide balance) const {
    switch (step.kind) {
      case Step::Kind::kSee:
        return balance == step.amount;
      case Step::Kind::kBelow:
        return balance < step.amount;
      case Step::Kind::kFull:
        return balance + step.amount > kMax;
      default:
        return false;
    }
  }

  // Takes what changes nothing as soon as it can happen: later it could do no more for anybody.
  void TakeSights(State* state) const {
    for (uint32_t& rest : state->rests) {
      while (rest != 0 && Sees(rests_[rest].step, state->balance)) rest = rests_[rest].next;
    }
  }

  // Nobody has to see anything any more: what adds comes first, then what takes finds most.
  void TakeGains(State* state) const {
    Wide most = state->balance;
    for (const uint32_t rest : state->rests) most += rests_[rest].gain;
    if (most > kMax) return;  // then it matters when
    for (uint32_t& rest : state->rests) {
      while (rest != 0 && rests_[rest].step.amount >= 0) {
        state->balance += rests_[rest].step.amount;
        rest = rests_[rest].next;
      }
    }
  }

  static bool MayAdd(const Step& step, const State& state) {
    const Wide balance = state.balance + step.amount;
    return step.kind == Step::Kind::kDrift || (balance >= 0 && balance <= kMax);
  }

  // Some chain waits for a balance that the others cannot bring about any more.
  bool IsLost(const State& state) const {
    Wide gain = 0;
    Wide loss = 0;
    int64_t unit = 0;
    for (const uint32_t rest : state.rests) {
      gain += rests_[rest].gain;
      loss += rests_[rest].loss;
      unit = std::gcd(unit, rests_[rest].unit);
    }
    for (const uint32_t number : state.rests) {
      const Rest& rest = rests_[number];
      if (!rest.looks_next) continue;
      const Wide missing = rest.due - state.balance;
      if (missing > gain - rest.gain || missing < loss - rest.loss) return true;
      if (unit == 0 ? missing != 0 : missing % unit != 0) return true;
    }
    return false;
  }

  void Push(State state) {
    TakeSights(&state);
    bool looks = false;
    bool over = true;
    for (const uint32_t rest : state.rests) {
      looks = looks || rests_[rest].looks;
      over = over && rest == 0;
    }
    if (!looks && !over) {
      TakeGains(&state);
      over = std::all_of(state.rests.begin(), state.rests.end(), [](uint32_t r) { return r == 0; });
    }
    if (over) {
      found_ = true;
      return;
    }
    std::pair<uint64_t, uint64_t> key = {0, 0};
    for (const uint32_t rest : state.rests) {
      key.first += rests_[rest].key[0];
      key.second += rests_[rest].key[1];
    }
    if (!seen_.insert(key).second || IsLost(state)) return;
    Frame frame;
    absl::flat_hash_set<uint32_t> kinds;
    fronts_.clear();
    for (const uint32_t rest : state.rests) {
      if (rest != 0 && Adds(rests_[rest].step)) fronts_.insert(rests_[rest].step.amount);
    }
    for (size_t chain = 0; chain < state.rests.size(); ++chain) {
      const uint32_t number = state.rests[chain];
      const Rest& rest = rests_[number];
      if (number == 0 || !Adds(rest.step) || !MayAdd(rest.step, state)) continue;
      if (!kinds.insert(number).second) continue;
      frame.choices.push_back({Urgency(rest, state), chain});
    }
    std::sort(frame.choices.begin(), frame.choices.end());
    frame.state = std::move(state);
    frames_.push_back(std::move(frame));
  }

  // The smaller the better: something is seen after this step; or after one more; or the chain's
  // own next sight is due soon. Chains that see nothing any more fill gaps.
  Wide Urgency(const Rest& rest, const State& state) {
    const Wide after = state.balance + rest.step.amount;
    int sights = 0;
    for (const uint32_t other : state.rests) {
      if (other != 0 && Sees(rests_[other].step, after)) ++sights;
    }
    random_ = MixBits(random_ + 0x9e3779b97f4a7c15ULL);
    if (sights != 0) return -10 * sights - static_cast<Wide>(random_ % 8);
    for (const uint32_t other : state.rests) {
      const Step& step = rests_[other].step;
      if (other == 0 || step.kind != Step::Kind::kSee) continue;
      const Wide missing = step.amount - after;
      if (missing >= -kMax && missing <= kMax && fronts_.contains(static_cast<int64_t>(missing))) {
        return -static_cast<Wide>(random_ % 8);
      }
    }
    Wide distance = kFill * typical_;
    if (rest.looks_next) {
      distance = rest.due - state.balance;
      if (distance < 0) distance = -distance;
    }
    if (noise_ != 0) distance += static_cast<Wide>(random_ % 1024) * typical_ * noise_ / 512;
    return distance;
  }

  const std::function<bool()>& out_of_time_;
  bool is_over_ = false;
  absl::flat_hash_set<int64_t> fronts_;
  State start_;
  bool may_end_ = false;
  int noise_ = 0;
  int64_t typical_ = 1;  // amount
  uint64_t random_ = 1;
  Rests rests_;
  std::vector<Frame> frames_;
  absl::flat_hash_set<std::pair<uint64_t, uint64_t>> seen_;
  bool found_ = false;
};

}  // namespace

OrderFound FindOrder(int64_t start, const std::vector<Chain>& chains,
                     const std::function<bool()>& out_of_time) {
  return Search(start, chains, out_of_time).Run();
}

std::vector<std::pair<size_t, size_t>> ContradictingSights(
    int64_t start, std::vector<Chain> chains, const std::function<bool()>& out_of_time) {
  std::vector<std::pair<size_t, size_t>> needed;
  std::vector<std::vector<size_t>> numbers(chains.size());  // steps as they were called at first
  for (size_t c = 0; c < chains.size(); ++c) {
    numbers[c].resize(chains[c].size());
    std::iota(numbers[c].begin(), numbers[c].end(), size_t{0});
  }
  for (size_t c = 0; c < chains.size(); ++c) {
    for (size_t i = 0; i < chains[c].size();) {
      const Step step = chains[c][i];
      if (step.kind != Step::Kind::kSee) {
        ++i;
        continue;
      }
      const auto at = static_cast<ptrdiff_t>(i);
      chains[c].erase(chains[c].begin() + at);
      if (!out_of_time() && FindOrder(start, chains, out_of_time) == OrderFound::kNo) {
        numbers[c].erase(numbers[c].begin() + at);
        continue;
      }
      chains[c].insert(chains[c].begin() + at, step);
      needed.push_back({c, numbers[c][i]});
      ++i;
    }
  }
  return needed;
}

}  // namespace bank::checker::course
