// Goal: the verdicts of certificate and search are those of a judge too simple to be wrong.
// Method: thousands of small random histories, valid and with something changed, with and without
// operations of unknown outcome and positions; the simple judge tries every order.
#include <algorithm>
#include <map>
#include <random>

#include "tests/unit/checker/history_text.h"

namespace bank::checker {
namespace {

constexpr int64_t kInitial = 10;
const std::vector<std::string> kNames = {"a", "b"};

struct Event {
  Spec spec;
  bool unknown() const { return spec.type != "ok"; }
  bool write() const { return spec.op != "query"; }
};

// Carries out one operation on the balances; the answer it must get.
std::pair<std::string, int64_t> Carry(const Spec& s, std::map<std::string, int64_t>* balances) {
  int64_t& balance = (*balances)[s.account];
  if (s.op == "query") return {"ok", balance};
  if (s.op == "deposit") return {"ok", balance += s.amount};
  if (balance < s.amount) return {"insufficient_funds", balance};
  balance -= s.amount;
  if (s.op == "transfer") (*balances)[s.to] += s.amount;
  return {"ok", balance};
}

class SimpleJudge {
 public:
  SimpleJudge(std::vector<Event> events, bool positions)
      : events_(std::move(events)), positions_(positions), used_(events_.size(), false) {}

  bool Linearizable() { return Try({{"a", kInitial}, {"b", kInitial}}, 0); }

 private:
  // `position`: of the last write carried out. With positions, unknown writes take one of those
  // that no recorded operation has, any number of which may also be skipped.
  bool Try(const std::map<std::string, int64_t>& balances, uint64_t position) {
    bool all = true;
    for (size_t i = 0; i < events_.size(); ++i) all = all && (used_[i] || events_[i].unknown());
    if (all) return true;
    for (size_t i = 0; i < events_.size(); ++i) {
      if (used_[i]) continue;
      const Event& e = events_[i];
      bool first = true;  // nothing unused was over before it began
      for (size_t j = 0; j < events_.size(); ++j) {
        if (!used_[j] && !events_[j].unknown() && events_[j].spec.return_ns < e.spec.invoke_ns) {
          first = false;
        }
      }
      if (!first) continue;
      std::map<std::string, int64_t> next = balances;
      const auto [result, balance] = Carry(e.spec, &next);
      if (!e.unknown() && (result != e.spec.result || balance != e.spec.balance)) continue;
      if (e.unknown() && result != "ok") continue;
      std::vector<uint64_t> places = {position};
      if (positions_) places = Places(e, position);
      for (uint64_t place : places) {
        used_[i] = true;
        const bool found = Try(next, place);
        used_[i] = false;
        if (found) return true;
      }
    }
    return false;
  }

  std::vector<uint64_t> Places(const Event& e, uint64_t position) const {
    uint64_t last = 0;
    std::vector<uint64_t> held;
    for (const Event& other : events_) {
      if (other.unknown()) continue;
      last = std::max(last, other.spec.index);
      if (other.write()) held.push_back(other.spec.index);
    }
    if (!e.unknown()) {
      // A read may stand at a position passed already only if that is the newest one.
      if (!e.write()) {
        return e.spec.index >= position && !Passes(held, position, e.spec.index)
                   ? std::vector<uint64_t>{e.spec.index}
                   : std::vector<uint64_t>{};
      }
      return e.spec.index > position && !Passes(held, position, e.spec.index - 1)
                 ? std::vector<uint64_t>{e.spec.index}
                 : std::vector<uint64_t>{};
    }
    std::vector<uint64_t> places;
    for (uint64_t p = position + 1; p <= last + 8; ++p) {
      if (std::find(held.begin(), held.end(), p) != held.end()) break;
      places.push_back(p);
    }
    return places;
  }

  // Whether a held position lies in (from, to].
  static bool Passes(const std::vector<uint64_t>& held, uint64_t from, uint64_t to) {
    return std::any_of(held.begin(), held.end(), [&](uint64_t p) { return p > from && p <= to; });
  }

  std::vector<Event> events_;
  bool positions_;
  std::vector<bool> used_;
};

// A run of a right bank: a few customers, each with one operation at a time.
std::vector<Event> RandomHistory(std::mt19937* random, bool transfers) {
  const auto pick = [&](int below) { return static_cast<int>((*random)() % below); };
  struct Customer {
    int event = -1;
    bool carried_out = false;
    uint64_t next_id = 1;
  };
  std::vector<Event> events;
  std::vector<Customer> customers(3);
  std::map<std::string, int64_t> balances = {{"a", kInitial}, {"b", kInitial}};
  uint64_t position = 0;
  int64_t now = 1;
  const int count = 3 + pick(5);
  for (int step = 0; step < 400; ++step) {
    now += 1 + pick(2);
    const int who = pick(3);
    Customer& customer = customers[static_cast<size_t>(who)];
    if (customer.event < 0) {
      if (static_cast<int>(events.size()) == count) continue;
      Event e;
      e.spec.process = static_cast<uint64_t>(who) + 1;
      e.spec.id = customer.next_id++;
      e.spec.account = kNames[static_cast<size_t>(pick(2))];
      const int kind = pick(transfers ? 7 : 6);
      e.spec.op = kind < 2 ? "query" : kind < 4 ? "deposit" : kind < 6 ? "withdraw" : "transfer";
      if (kind == 6) e.spec.to = e.spec.account == "a" ? "b" : "a";
      if (kind >= 2) e.spec.amount = 1 + pick(kind < 4 ? 6 : 14);
      e.spec.invoke_ns = now;
      if (kind >= 2 && pick(4) == 0) e.spec.type = pick(2) == 0 ? "info" : "open";
      customer.event = static_cast<int>(events.size());
      customer.carried_out = false;
      events.push_back(e);
      continue;
    }
    Event& e = events[static_cast<size_t>(customer.event)];
    if (!customer.carried_out) {
      customer.carried_out = true;
      if (e.unknown() && pick(2) == 0) continue;  // never arrived
      if (e.write()) position += 1 + (pick(6) == 0 ? 1 : 0);
      std::tie(e.spec.result, e.spec.balance) = Carry(e.spec, &balances);
      e.spec.index = position;
    } else {
      e.spec.return_ns = now;
      customer.event = -1;
    }
  }
  for (Event& e : events) {
    if (e.spec.return_ns != 0) continue;
    if (e.spec.type == "ok") e.spec.type = "open";
  }
  std::erase_if(events, [](const Event& e) { return !e.write() && e.unknown(); });
  return events;
}

void Mutate(std::mt19937* random, std::vector<Event>* events) {
  const auto pick = [&](size_t below) { return static_cast<size_t>((*random)() % below); };
  if (events->empty()) return;
  Event& e = (*events)[pick(events->size())];
  Event& other = (*events)[pick(events->size())];
  switch (pick(8)) {
    case 0:
      ++e.spec.balance;
      break;
    case 1:
      e.spec.balance = other.spec.balance;
      break;
    case 2:
      std::swap(e.spec.index, other.spec.index);
      break;
    case 3:
      e.spec.index = 1 + pick(8);
      break;
    case 4:
      events->erase(events->begin() + static_cast<std::ptrdiff_t>(pick(events->size())));
      break;
    case 5:
      if (e.spec.type == "ok" && e.write()) e.spec.type = "info";
      break;
    case 6:
      if (e.spec.index > 1) --e.spec.index;
      break;
    default:
      if (e.spec.return_ns > e.spec.invoke_ns + 4) e.spec.return_ns = e.spec.invoke_ns + 2;
      break;
  }
}

struct Tally {
  int consistent = 0;
  int inconsistent = 0;
  int undecided = 0;
};

void Compare(bool positions, bool transfers, int rounds, Tally* tally) {
  for (int round = 0; round < rounds; ++round) {
    std::mt19937 random(static_cast<uint32_t>(round));
    std::vector<Event> events = RandomHistory(&random, transfers);
    const bool valid = random() % 4 == 0;
    for (uint32_t i = 0; !valid && i < 1 + random() % 2; ++i) Mutate(&random, &events);
    std::vector<Spec> specs;
    bool well_formed = true;
    for (const Event& e : events) {
      specs.push_back(e.spec);
      if (!positions) specs.back().index = 0;
      if (positions && e.spec.type == "ok" && e.write() && e.spec.index == 0) well_formed = false;
    }
    if (!well_formed) continue;
    std::string text = HistoryText(specs);
    text.replace(text.find(R"({"shared":400})"), 14, R"({"a":10,"b":10})");
    if (positions) {  // a read of the state before the first write
      // HistoryText leaves out index 0, which only such reads have.
      for (size_t at = 0; (at = text.find(R"("result":"ok","balance")", at)) != std::string::npos;
           ++at) {
        const size_t end = text.find('\n', at);
        if (text.substr(at, end - at).find("\"index\"") == std::string::npos) {
          text.insert(text.find(",\"branch\"", at), ",\"index\":0");
        }
      }
    }
    const auto judgement = JudgeText(text);
    ASSERT_TRUE(judgement.ok()) << judgement.status() << "\n" << text;
    const bool expected = SimpleJudge(events, positions).Linearizable();
    if (valid) {
      ASSERT_TRUE(expected) << "the test itself is wrong, round " << round << "\n" << text;
    }
    if (judgement->verdict == Verdict::kUndecided) {
      ++tally->undecided;
      continue;
    }
    ++(expected ? tally->consistent : tally->inconsistent);
    ASSERT_EQ(judgement->verdict == Verdict::kConsistent, expected)
        << "round " << round << " "
        << (judgement->violations.empty() ? "" : judgement->violations[0].why) << "\n"
        << text;
    if (!expected) {
      ASSERT_FALSE(judgement->violations[0].operations.empty());
    }
  }
}

TEST(BruteForce, CertificateAgrees) {
  Tally tally;
  Compare(true, false, 4000, &tally);
  EXPECT_GT(tally.consistent, 500);
  EXPECT_GT(tally.inconsistent, 500);
  EXPECT_EQ(tally.undecided, 0);
}

TEST(BruteForce, CertificateAgreesWithTransfers) {
  Tally tally;
  Compare(true, true, 4000, &tally);
  EXPECT_GT(tally.consistent, 500);
  EXPECT_GT(tally.inconsistent, 500);
  EXPECT_LT(tally.undecided, 40);
}

TEST(BruteForce, SearchAgrees) {
  Tally tally;
  Compare(false, true, 4000, &tally);
  EXPECT_GT(tally.consistent, 500);
  EXPECT_GT(tally.inconsistent, 500);
  EXPECT_EQ(tally.undecided, 0);
}

}  // namespace
}  // namespace bank::checker
