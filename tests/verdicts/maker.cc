#include "tests/verdicts/maker.h"

#include <algorithm>
#include <limits>
#include <map>
#include <random>
#include <tuple>

namespace bank::verdicts {
namespace {

__extension__ using Sum = __int128;
constexpr int64_t kMost = std::numeric_limits<int64_t>::max();

// Nobody can open an account of such a name.
bool IsNoName(const std::string& name) { return name.empty() || name.size() > 128; }

class Dice {
 public:
  explicit Dice(uint64_t seed) : random_(seed * 0x9e3779b97f4a7c15u + 1) {}
  // 0 ... below - 1.
  template <typename Count>
  Count Pick(Count below) {
    return static_cast<Count>(random_() % static_cast<uint64_t>(below));
  }
  bool OneIn(int of) { return Pick(of) == 0; }
  template <typename Value>
  Value& From(std::vector<Value>& values) {
    return values[Pick(values.size())];
  }

 private:
  std::mt19937_64 random_;
};

// A bank that is right.
struct Bank {
  std::map<std::string, int64_t> balances;
  uint64_t position = 0;
  int64_t accounts_max = 10'000'000;

  Sum Total() const {
    Sum total = 0;
    for (const auto& [name, balance] : balances) total += balance;
    return total;
  }

  std::string Refusal(const Event& e) const {
    const bool is_transfer = e.op == "transfer";
    if (IsNoName(e.account) || (is_transfer && IsNoName(e.to))) return "bad_account";
    if (is_transfer && e.to == e.account) return "bad_account";
    if (e.op == "open") {
      if (e.amount < 0) return "bad_amount";
      if (balances.contains(e.account)) return "account_exists";
      if (std::ssize(balances) >= accounts_max) return "too_many_accounts";
      return Total() + e.amount > kMost ? "overflow" : "";
    }
    if (e.is_write() && e.amount <= 0) return "bad_amount";
    if (!balances.contains(e.account)) return "unknown_account";
    if (is_transfer && !balances.contains(e.to)) return "unknown_account";
    if (e.op == "deposit" && Total() + e.amount > kMost) return "overflow";
    const bool pays = e.op == "withdraw" || is_transfer;
    return pays && balances.at(e.account) < e.amount ? "insufficient_funds" : "";
  }

  // The answer: result, balance, position.
  void CarryOut(Event* e) {
    const std::string refusal = Refusal(*e);
    e->result = refusal.empty() ? "ok" : refusal;
    if (refusal.empty() && e->is_write()) {
      if (e->op == "open") balances[e->account] = e->amount;
      if (e->op == "deposit") balances[e->account] += e->amount;
      if (e->op == "withdraw" || e->op == "transfer") balances[e->account] -= e->amount;
      if (e->op == "transfer") balances[e->to] += e->amount;
    }
    if (e->is_write()) ++position;
    const auto found = balances.find(e->account);
    e->balance = found == balances.end() ? 0 : found->second;
    e->index = position;
  }
};

class Run {
 public:
  explicit Run(Dice* dice) : dice_(*dice) {}

  Story Make() {
    Story story;
    Found(&story);
    past_ = {bank_};
    customers_.resize(1 + dice_.Pick(size_t{4}));
    const size_t count = 2 + dice_.Pick(size_t{8});
    for (int step = 0; step < 300; ++step) {
      now_ += dice_.Pick(4);
      if (dice_.OneIn(9)) ++bank_.position;  // of something that is not recorded
      const size_t who = dice_.Pick(customers_.size());
      Customer& customer = customers_[who];
      if (customer.at == SIZE_MAX) {
        if (events_.size() < count) Begin(who, &customer);
      } else {
        GoOn(&customer);
      }
    }
    for (Event& e : events_) {
      if (e.type == "ok" && e.over == 0) e.type = "";
      if (e.type != "ok") Forget(&e);
      story.events.push_back(e);
    }
    if (dice_.OneIn(3)) Close(&story);
    return story;
  }

 private:
  struct Customer {
    size_t at = SIZE_MAX;  // the event under way
    bool arrived = false;
    uint64_t events = 0;
    uint64_t sequence = 0;
  };

  void Found(Story* story) {
    names_ = {"a", "b", "c"};
    names_.resize(1 + dice_.Pick(size_t{3}));
    is_huge_ = dice_.OneIn(8);
    const int known = 1 + dice_.Pick(static_cast<int>(names_.size()));
    for (int i = 0; i < known; ++i) {
      const bool huge = is_huge_ && i == 0;
      bank_.balances[names_[static_cast<size_t>(i)]] =
          huge ? kMost - 20 + dice_.Pick(14) : dice_.Pick(is_huge_ ? 3 : 15);
    }
    story->initial.emplace(bank_.balances.begin(), bank_.balances.end());
    if (dice_.OneIn(8)) {
      bank_.accounts_max = known + dice_.Pick(2);
      story->accounts_max = bank_.accounts_max;
    }
    if (dice_.OneIn(16)) names_.push_back(dice_.OneIn(2) ? "" : std::string(129, 'x'));
    uses_keys_ = dice_.OneIn(2);
    same_amounts_ = dice_.OneIn(3);
  }

  void Ask(Event* e) {
    static const std::vector<std::string> kOps = {"query",    "query",    "query",    "deposit",
                                                  "deposit",  "deposit",  "withdraw", "withdraw",
                                                  "transfer", "transfer", "open"};
    e->op = kOps[dice_.Pick(kOps.size())];
    e->account = dice_.From(names_);
    if (e->op == "open" && dice_.OneIn(2)) e->account = names_.back();
    if (e->op == "transfer") e->to = dice_.From(names_);
    if (!e->is_write()) {
      if (!dice_.OneIn(3)) return;
      e->consistency = dice_.OneIn(2) ? "local" : "at_least";
      if (e->consistency == "at_least") e->minimum = dice_.Pick(bank_.position + 2);
      return;
    }
    e->amount = same_amounts_ ? 1 + dice_.Pick(2) : 1 + dice_.Pick(e->op == "deposit" ? 7 : 12);
    if (dice_.OneIn(25)) e->amount = -dice_.Pick(2);
    if (dice_.OneIn(50)) e->amount = kMost - dice_.Pick(20);
    if (dice_.OneIn(5)) {
      e->type = dice_.OneIn(2) ? "info" : "";
    } else if (dice_.OneIn(15)) {
      e->type = "fail";
    }
  }

  void Begin(size_t who, Customer* customer) {
    Event e;
    std::vector<size_t> keyed;
    for (size_t i = 0; i < events_.size(); ++i) {
      if (events_[i].has_key() && events_[i].is_write()) keyed.push_back(i);
    }
    Ask(&e);
    if (e.is_write() && uses_keys_ && !keyed.empty() && dice_.OneIn(5)) {
      const Event& earlier = events_[dice_.From(keyed)];
      const std::string type = e.type;
      if (!dice_.OneIn(4)) {  // a retry; else another request with its key
        e.op = earlier.op;
        e.account = earlier.account;
        e.to = earlier.to;
        e.amount = earlier.amount;
      }
      std::tie(e.session, e.sequence, e.type) = std::tuple(earlier.session, earlier.sequence, type);
    } else if (e.is_write() && uses_keys_) {
      e.session = 101 + who;
      e.sequence = ++customer->sequence;
    }
    e.process = who + 1;
    e.id = ++customer->events;
    e.invoked = now_;
    customer->at = events_.size();
    customer->arrived = false;
    events_.push_back(e);
  }

  void Arrive(Event* e) {
    if (e->has_key()) {
      const auto [first, is_new] = outcomes_.try_emplace({e->session, e->sequence}, *e);
      if (!is_new) {
        const Event& known = first->second;
        const bool same = known.op == e->op && known.account == e->account && known.to == e->to &&
                          known.amount == e->amount;
        e->result = same ? known.result : "key_reused";
        e->balance = same ? known.balance : std::nullopt;
        e->index = same ? known.index : bank_.position;
        e->replayed = same;
        return;
      }
      bank_.CarryOut(e);
      first->second = *e;
    } else if (e->is_write() || e->consistency.empty()) {
      bank_.CarryOut(e);
    } else {  // of a branch that may be behind
      Bank then = bank_;
      for (int tries = 0; tries < 4; ++tries) {
        const Bank& old = dice_.From(past_);
        if (old.position >= e->minimum.value_or(0)) then = old;
      }
      if (then.position < e->minimum.value_or(0)) {
        e->type = "info";
      } else {
        then.CarryOut(e);
      }
    }
    past_.push_back(bank_);
  }

  void GoOn(Customer* customer) {
    Event& e = events_[customer->at];
    if (e.type == "ok") {
      if (!customer->arrived) {
        Arrive(&e);
        customer->arrived = true;
        return;
      }
    } else if (!customer->arrived && e.type != "fail" && dice_.OneIn(2)) {
      customer->arrived = true;
      const std::string type = e.type;
      Arrive(&e);
      e.type = type;
      return;
    }
    e.over = now_;
    if (e.type != "ok" && e.type != "fail" && !customer->arrived && dice_.OneIn(2)) {
      late_.push_back(customer->at);
    }
    customer->at = SIZE_MAX;
    if (!late_.empty() && dice_.OneIn(2)) {  // what was given up arrives after all
      Arrive(&events_[late_.back()]);
      late_.pop_back();
    }
  }

  static void Forget(Event* e) {
    e->result.clear();
    e->balance.reset();
    e->index.reset();
    e->replayed = false;
    if (e->over == 0 && !e->type.empty()) e->type = "";
  }

  void Close(Story* story) {
    DigestLine digest;
    if (dice_.OneIn(4)) {  // what some branches said earlier
      DigestLine earlier;
      earlier.position = bank_.position / 2;
      earlier.state = "ee";
      for (earlier.branch = 1; earlier.branch <= 2; ++earlier.branch) {
        story->digests.push_back(earlier);
      }
    }
    digest.position = bank_.position + dice_.Pick(uint64_t{3});
    if (!dice_.OneIn(4)) digest.accounts = std::ssize(bank_.balances);
    if (!dice_.OneIn(5)) digest.total = static_cast<int64_t>(bank_.Total());
    for (digest.branch = 1; digest.branch <= 3; ++digest.branch) story->digests.push_back(digest);
  }

  Dice& dice_;
  Bank bank_;
  std::vector<Bank> past_;
  std::vector<std::string> names_;
  std::vector<Event> events_;
  std::vector<Customer> customers_;
  std::vector<size_t> late_;
  std::map<std::pair<uint64_t, uint64_t>, Event> outcomes_;
  int64_t now_ = 1;
  bool is_huge_ = false;
  bool uses_keys_ = false;
  bool same_amounts_ = false;
};

// Changes one thing; what does not suit the story is left as it is.
void Mutate(Dice* dice, Story* story) {
  static const std::vector<std::string> kResults = {
      "ok",          "insufficient_funds", "unknown_account",   "account_exists", "overflow",
      "bad_amount",  "bad_account",        "too_many_accounts", "key_reused",     "forgotten",
      "not_applied", "unknown_session",    "window_full",       "bad_request"};
  if (story->events.empty()) return;
  Event& e = dice->From(story->events);
  Event& other = dice->From(story->events);
  const bool is_ok = e.type == "ok";
  const auto digest = [&]() -> DigestLine* {
    return story->digests.empty() ? nullptr : &dice->From(story->digests);
  };
  switch (dice->Pick(kMutations)) {
    case 0:
    case 1:
      if (is_ok && e.balance) ++*e.balance;
      break;
    case 2:
      if (is_ok) e.balance = other.balance;
      break;
    case 3:
      if (is_ok) e.balance = dice->Pick(int64_t{20});
      break;
    case 4:
      if (is_ok && other.type == "ok") std::swap(e.index, other.index);
      break;
    case 5:
      if (is_ok) e.index = 1 + dice->Pick(uint64_t{12});
      break;
    case 6:
      if (is_ok && e.index.value_or(0) > 1) --*e.index;
      break;
    case 7:
      if (is_ok && e.index) ++*e.index;
      break;
    case 8:
      story->events.erase(story->events.begin() +
                          static_cast<std::ptrdiff_t>(dice->Pick(story->events.size())));
      break;
    case 9:
      if (is_ok && e.is_write()) e.type = "info";
      break;
    case 10:
      if (!e.type.empty()) e.type = "fail";
      break;
    case 11:
      if (e.type == "fail") e.type = "info";
      break;
    case 12:
      if (!e.type.empty()) e.over = e.invoked + (e.over - e.invoked) / 2;
      break;
    case 13:
      if (!e.type.empty()) e.invoked = e.over - (e.over - e.invoked) / 2;
      break;
    case 14:
    case 15:
      if (is_ok) e.result = dice->From(const_cast<std::vector<std::string>&>(kResults));
      break;
    case 16:
      if (e.is_write()) ++e.amount;
      break;
    case 17:
      e.account = other.account;
      break;
    case 18:
      if (!e.is_write()) e.consistency = "";
      break;
    case 19:
      if (e.consistency == "at_least") ++*e.minimum;
      break;
    case 20:
      if (e.is_write() && other.is_write()) {
        std::tie(e.session, e.sequence) = std::tuple(other.session, other.sequence);
      }
      break;
    case 21:
      if (story->initial && !story->initial->empty()) ++dice->From(*story->initial).second;
      break;
    case 22:
      if (DigestLine* line = digest(); line != nullptr && line->total) ++*line->total;
      break;
    case 23:
      for (DigestLine& line : story->digests) {
        if (line.total) *line.total += 1;
      }
      break;
    case 24:
      for (DigestLine& line : story->digests) {
        if (line.accounts.value_or(0) > 0) *line.accounts -= 1;
      }
      break;
    case 25:
      for (DigestLine& line : story->digests) line.position -= line.position == 0 ? 0 : 1;
      break;
    case 26:
      if (DigestLine* line = digest(); line != nullptr) line->state = "bb";
      break;
    case 27:
      std::swap(e.balance, other.balance);
      break;
    case 28:
      if (e.op == "transfer") e.to = e.account;
      break;
    case 29:
      if (e.op == "deposit") e.op = "withdraw";
      break;
    case 30:
      if (is_ok && e.is_write() && e.result == "ok") e.type = "";
      break;
    case 31:
      if (is_ok && !e.is_write()) e.consistency = "local";
      break;
    case 32:
      if (is_ok && !e.is_write()) {
        e.consistency = "at_least";
        e.minimum = dice->Pick(uint64_t{14});
      }
      break;
    case 33:
      if (DigestLine* line = digest(); line != nullptr) ++line->position;
      break;
    case 34:
      if (e.is_write()) e.amount = kMost - dice->Pick(int64_t{20});
      break;
    default:
      if (e.op == "transfer") std::swap(e.account, e.to);
      break;
  }
}

// Leaves out what a bank, or its customers, need not tell: what was right stays right.
void Strip(Dice* dice, Story* story) {
  const int positions = dice->Pick(3);  // all, none, some
  const int balances = dice->Pick(6);   // none, some, all
  for (Event& e : story->events) {
    if (positions == 1 || (positions == 2 && dice->OneIn(2))) e.index.reset();
    if (balances == 0 || (balances == 1 && dice->OneIn(2))) e.balance.reset();
    if (dice->OneIn(40) && e.type == "ok" && e.is_write()) {
      e.type = "info";
    }
  }
  if (dice->OneIn(8)) {
    story->initial.reset();
  } else if (dice->OneIn(4) && !story->initial->empty()) {
    // A header may lack what the operations name.
    const auto left_out =
        story->initial->begin() + static_cast<std::ptrdiff_t>(dice->Pick(story->initial->size()));
    const bool is_named = std::any_of(
        story->events.begin(), story->events.end(),
        [&](const Event& e) { return e.account == left_out->first || e.to == left_out->first; });
    if (is_named) story->initial->erase(left_out);
  }
  if (!story->initial) story->accounts_max.reset();
}

// What the format asks for.
void Mend(Story* story) {
  for (Event& e : story->events) {
    if (e.type != "ok") {
      e.result.clear();
      e.balance.reset();
      e.index.reset();
      e.replayed = false;
    }
    if (e.is_write() && e.index == 0) e.index.reset();
    if (e.op != "transfer") e.to.clear();
    if (e.consistency != "at_least") e.minimum.reset();
  }
}

}  // namespace

Made MakeStory(uint64_t seed) {
  Dice dice(seed);
  Made made;
  made.story = Run(&dice).Make();
  made.is_right = dice.OneIn(3);
  if (!made.is_right) {
    const int changes = 1 + dice.Pick(2);
    for (int i = 0; i < changes; ++i) Mutate(&dice, &made.story);
  }
  Strip(&dice, &made.story);
  Mend(&made.story);
  return made;
}

}  // namespace bank::verdicts
