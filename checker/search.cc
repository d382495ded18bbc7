#include "checker/search.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <map>
#include <numeric>
#include <tuple>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "checker/rules.h"
#include "checker/witness.h"

namespace bank::checker {
namespace {

constexpr size_t kPairsOf = 30;  // each try is a search
constexpr size_t kStretchMax = 256;
constexpr int64_t kMinimizeMs = 3000;  // at most

using SteadyClock = std::chrono::steady_clock;

// Operations that must stand in the order, and those that may.
bool IsRequired(const Operation& op) {
  if (op.is_read()) return op.freshness == Freshness::kLinearizable;
  return op.is_positioned();
}

uint64_t Mix(uint64_t x) {  // splitmix64
  x += 0x9e3779b97f4a7c15;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
  x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
  return x ^ (x >> 31);
}

// A set of operations and what was assumed about accounts, as 128 random bits: two different ones
// collide with a probability below 1e-24 for all states a budget allows.
struct Fingerprint {
  uint64_t high = 0;
  uint64_t low = 0;
  bool operator==(const Fingerprint&) const = default;
  void Toggle(uint64_t value) {
    high ^= Mix(value * 2 + 1);
    low ^= Mix(~value * 2);
  }
  template <class H>
  friend H AbslHashValue(H h, const Fingerprint& f) {
    return H::combine(std::move(h), f.high, f.low);
  }
};

// One group of accounts.
class GroupSearch {
 public:
  GroupSearch(std::vector<Operation> operations, const HistoryReader::Initial& initial,
              const AccountNames& names, uint64_t states_max, SteadyClock::time_point deadline)
      : names_(names), states_max_(states_max), deadline_(deadline) {
    for (Operation& op : operations) {
      (IsRequired(op) ? required_ : optional_).push_back(std::move(op));
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
    MakeList();
  }

  SearchAnswer Run() {
    size_t left = required_.size();
    std::vector<Frame> frames(1);
    frames.back().at = links_[0].next;
    while (left != 0) {
      Frame& frame = frames.back();
      if (!Step(&frame)) {
        frames.pop_back();
        if (frames.empty()) return SearchAnswer::kViolation;
        left += Undo(frames.back());
        continue;
      }
      if (!seen_.insert(fingerprint_).second) {
        Undo(frame);
        continue;
      }
      if (!frame.in_optional) --left;
      if (seen_.size() >= states_max_ ||
          ((seen_.size() & 1023) == 0 && SteadyClock::now() > deadline_)) {
        return SearchAnswer::kUnknown;
      }
      Frame next;
      next.at = links_[0].next;
      frames.push_back(next);
    }
    return SearchAnswer::kLinearizable;
  }

  uint64_t states() const { return seen_.size(); }

 private:
  // Invocations and completions of required operations in the order of time; [0] is the head.
  struct Link {
    uint32_t op = 0;
    bool is_return = false;
    uint32_t previous = 0;
    uint32_t next = 0;  // 0: end
  };
  // A point of choice: where it looks for the next candidate, and what it has chosen.
  struct Frame {
    uint32_t at = 0;
    size_t optional_at = 0;
    bool in_optional = false;
    size_t chosen = 0;  // link, or place in optional_
    std::array<std::pair<uint32_t, AccountView>, 2> before;
    Fingerprint fingerprint;
  };

  void MakeList() {
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

  void Unlink(uint32_t link) {
    links_[links_[link].previous].next = links_[link].next;
    if (links_[link].next != 0) links_[links_[link].next].previous = links_[link].previous;
  }
  void Relink(uint32_t link) {
    links_[links_[link].previous].next = link;
    if (links_[link].next != 0) links_[links_[link].next].previous = link;
  }

  BankView StateFor(const Operation& op) const {
    BankView state;
    const auto view = [&](uint32_t account) {
      const auto it = accounts_.find(account);
      return it == accounts_.end() ? AccountView{} : it->second;
    };
    state.account = view(op.account);
    state.bad_account = names_.is_bad(op.account);
    if (op.kind == OpKind::kTransfer) {
      state.to = view(op.to);
      state.bad_account = state.bad_account || names_.is_bad(op.to) || op.account == op.to;
    }
    return state;
  }

  // Finds the frame's next candidate and carries it out. False if there is none left.
  bool Step(Frame* frame) {
    while (!frame->in_optional) {
      if (frame->at == 0 || links_[frame->at].is_return) {
        frame->in_optional = true;
        break;
      }
      const uint32_t link = frame->at;
      const uint32_t i = links_[link].op;
      frame->at = links_[link].next;
      const Operation& op = required_[i];
      if (!Agrees(op, StateFor(op))) continue;
      frame->chosen = link;
      Carry(frame, op, i);
      Unlink(link);
      Unlink(return_link_[i]);
      return true;
    }
    const uint32_t first_return = FirstReturn();
    const int64_t until = first_return == 0 ? kNever : required_[links_[first_return].op].return_ns;
    while (frame->optional_at < optional_.size()) {
      const size_t i = frame->optional_at++;
      const Operation& op = optional_[i];
      if (op.invoke_ns > until) break;
      if (done_[i] || (earlier_[i] != SIZE_MAX && !done_[earlier_[i]])) continue;
      if (!WouldSucceed(op, StateFor(op))) continue;
      frame->chosen = i;
      Carry(frame, op, required_.size() + i);
      done_[i] = true;
      return true;
    }
    return false;
  }

  uint32_t FirstReturn() const {
    uint32_t link = links_[0].next;
    while (link != 0 && !links_[link].is_return) link = links_[link].next;
    return link;
  }

  void Carry(Frame* frame, const Operation& op, uint64_t number) {
    frame->before = {std::pair{kNoAccount, AccountView{}}, std::pair{kNoAccount, AccountView{}}};
    frame->fingerprint = fingerprint_;
    fingerprint_.Toggle(number);
    AccountView& account = accounts_[op.account];
    frame->before[0] = {op.account, account};
    const bool known = account.presence == AccountView::kPresent;
    const bool ok = !IsRequired(op) || op.answer == Answer::kOk;
    if (ok && op.kind == OpKind::kOpen) {
      account = {AccountView::kPresent, op.amount};
      return;
    }
    if (account.presence == AccountView::kUnknown) {
      if (op.has_balance && (op.answer == Answer::kOk || op.answer == Answer::kInsufficientFunds)) {
        account = {AccountView::kPresent, op.balance};
      } else if (op.answer == Answer::kUnknownAccount && op.kind != OpKind::kTransfer) {
        account = {AccountView::kAbsent, 0};
      }
      // What was learnt depends on the order.
      fingerprint_.Toggle(Mix(number) ^ static_cast<uint64_t>(account.balance));
    }
    if (!ok) return;
    if (known && op.kind == OpKind::kDeposit) account.balance += op.amount;
    if (known && (op.kind == OpKind::kWithdraw || op.kind == OpKind::kTransfer)) {
      account.balance -= op.amount;
    }
    if (op.kind != OpKind::kTransfer) return;
    AccountView& to = accounts_[op.to];
    frame->before[1] = {op.to, to};
    if (to.presence == AccountView::kPresent) to.balance += op.amount;
  }

  // Takes back what the frame has chosen; 1 if that was a required operation.
  size_t Undo(const Frame& frame) {
    for (size_t i = 2; i-- > 0;) {
      if (frame.before[i].first != kNoAccount) {
        accounts_[frame.before[i].first] = frame.before[i].second;
      }
    }
    fingerprint_ = frame.fingerprint;
    if (frame.in_optional) {
      done_[frame.chosen] = false;
      return 0;
    }
    const auto link = static_cast<uint32_t>(frame.chosen);
    Relink(return_link_[links_[link].op]);
    Relink(link);
    return 1;
  }

  const AccountNames& names_;
  const uint64_t states_max_;
  const SteadyClock::time_point deadline_;
  std::vector<Operation> required_;
  std::vector<Operation> optional_;
  std::vector<size_t> earlier_;
  std::vector<bool> done_;  // optional ones
  std::vector<Link> links_;
  std::vector<uint32_t> return_link_;
  absl::flat_hash_map<uint32_t, AccountView> accounts_;
  Fingerprint fingerprint_;
  absl::flat_hash_set<Fingerprint> seen_;
};

// Accounts by the group they belong to.
class Groups {
 public:
  explicit Groups(size_t accounts) : parent_(accounts) {
    std::iota(parent_.begin(), parent_.end(), 0u);
  }
  uint32_t Find(uint32_t account) {
    while (parent_[account] != account) account = parent_[account] = parent_[parent_[account]];
    return account;
  }
  void Join(uint32_t a, uint32_t b) { parent_[Find(a)] = Find(b); }

 private:
  std::vector<uint32_t> parent_;
};

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
  Minimizer(const HistoryReader::Initial& initial, const AccountNames& names,
            const SearchOptions& options, SteadyClock::time_point deadline)
      : initial_(initial), names_(names), options_(options), deadline_(deadline) {}

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
      if (Fails(Until(group, ends[middle]), initial_)) {
        high = middle;
      } else {
        low = middle + 1;
      }
    }
    std::vector<Operation> part = Until(group, ends[low]);
    // A late stretch of it that fails whatever was there before is easier to read.
    HistoryReader::Initial initial = initial_;
    std::vector<Operation> required = Required(part);
    for (size_t k = 1; k < required.size() && k <= kStretchMax; k *= 2) {
      const std::vector<Operation> stretch = Since(part, required[required.size() - k].invoke_ns);
      if (!Fails(stretch, {})) continue;
      part = stretch;
      initial = {};
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
      return Fails(all, initial);
    };
    return Minimize(required, shows, kPairsOf);
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

  bool Fails(const std::vector<Operation>& operations, const HistoryReader::Initial& initial) {
    const auto now = SteadyClock::now();
    if (now > deadline_) return false;
    GroupSearch search(operations, initial, names_, std::min<uint64_t>(options_.states_max, 50'000),
                       std::min(deadline_, now + std::chrono::milliseconds(200)));
    return search.Run() == SearchAnswer::kViolation;
  }

  const HistoryReader::Initial& initial_;
  const AccountNames& names_;
  const SearchOptions& options_;
  SteadyClock::time_point deadline_;
};

}  // namespace

SearchResult Search(const std::vector<Operation>& operations, const HistoryReader::Initial& initial,
                    const AccountNames& names, const SearchOptions& options) {
  const auto budget = std::chrono::milliseconds(options.budget_ms);
  const auto deadline = SteadyClock::now() + budget;
  Groups groups(names.size());
  for (const Operation& op : operations) {
    if (op.to != kNoAccount && op.fate != Fate::kFail) groups.Join(op.account, op.to);
  }
  std::map<uint32_t, std::vector<Operation>> by_group;
  for (const Operation& op : operations) {
    if (IsRequired(op) || op.is_unknown()) by_group[groups.Find(op.account)].push_back(op);
  }
  SearchResult result;
  result.answer = SearchAnswer::kLinearizable;
  for (const auto& [root, group] : by_group) {
    GroupSearch search(group, initial, names, options.states_max, deadline);
    const SearchAnswer answer = search.Run();
    result.states += search.states();
    if (answer == SearchAnswer::kUnknown) result.answer = answer;
    if (answer != SearchAnswer::kViolation) continue;
    result.answer = answer;
    result.culprits =
        Minimizer(initial, names, options,
                  SteadyClock::now() + std::min(budget, std::chrono::milliseconds(kMinimizeMs)))
            .Run(group);
    return result;
  }
  return result;
}

}  // namespace bank::checker
