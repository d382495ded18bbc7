// Goal: sessions belong to whoever opened them; nobody pushes out another's with many of his own.
// Method: cases, and a slow and plain telling of the same rule beside a ledger that is asked at
// random.
#include <map>
#include <optional>
#include <tuple>

#include "tests/support/test_ledger.h"

namespace bank::ledger {
namespace {

constexpr uint64_t kHighest = ~uint64_t{0};

Command Deposit(SessionId session, uint64_t sequence, uint64_t answered_below = 0) {
  return {.kind = Kind::kDeposit,
          .session = session,
          .sequence = sequence,
          .answered_below = answered_below,
          .account = "shared",
          .amount = 1};
}

class OwnersTest : public testing::Test {
 protected:
  OwnersTest() { ledger_.Do({.kind = Kind::kOpen, .account = "shared", .amount = 400}); }

  TestLedger ledger_{SmallLimits()};
};

TEST_F(OwnersTest, ASessionHasTheIdItWasGiven) {
  const SessionId id(kHighest - 5);
  EXPECT_EQ(ledger_.OpenSession(id, SessionOwner(1)), (Outcome{Code::kOk, false, Position(2), 0}));
  EXPECT_EQ(ledger_.Do(Deposit(SessionId(2), 1)).code, Code::kUnknownSession);
  EXPECT_EQ(ledger_.Do(Deposit(id, 1)).code, Code::kOk);
  EXPECT_EQ(ledger_.OpenSession(id, SessionOwner(1)),
            (Outcome{Code::kKeyReused, false, Position(3), 0}));
  EXPECT_TRUE(ledger_.Do(Deposit(id, 1)).replayed);
}

// The attack: 10,100 sessions, whoever else there is.
TEST_F(OwnersTest, AFloodPushesOutItsOwnOnly) {
  for (const uint64_t strangers : {1, 3}) {
    TestLedger ledger(SmallLimits());
    ledger.Do({.kind = Kind::kOpen, .account = "shared", .amount = 400});
    ledger.OpenSession(SessionId(11), SessionOwner(1));
    const Outcome first = ledger.Do(Deposit(SessionId(11), 1));
    for (uint64_t i = 0; i < 100; ++i) {
      const Outcome opened =
          ledger.OpenSession(SessionId(1000 + i), SessionOwner(100 + i % strangers));
      EXPECT_EQ(opened.code, Code::kOk);
    }
    EXPECT_EQ(ledger.get().summary().sessions, SmallLimits().sessions_max);
    Outcome again = first;
    again.replayed = true;
    EXPECT_EQ(ledger.Do(Deposit(SessionId(11), 1)), again);
  }
}

TEST_F(OwnersTest, AFloodOfOwnersIsRefusedUntilSomebodyIsIdleForLong) {
  const int64_t long_ms = Limits{}.only_session_idle_ms_min;
  Limits limits = SmallLimits();
  limits.session_idle_ms_max = 10 * long_ms;
  TestLedger ledger(limits);
  ledger.OpenSession(SessionId(11), SessionOwner(1));
  for (uint64_t i = 0; i < 100; ++i) {
    const Code code = ledger.OpenSession(SessionId(1000 + i), SessionOwner(100 + i)).code;
    EXPECT_EQ(code, i < limits.sessions_max - 1 ? Code::kOk : Code::kTooManySessions);
  }
  const Position position = ledger.get().position();
  ledger.At(long_ms - 1);
  EXPECT_EQ(ledger.OpenSession(SessionId(5000), SessionOwner(5)),
            (Outcome{Code::kTooManySessions, false, position, 0}));
  ledger.At(long_ms);
  EXPECT_EQ(ledger.OpenSession(SessionId(5000), SessionOwner(5)).code, Code::kOk);
  EXPECT_EQ(ledger.Do(Deposit(SessionId(11), 1)).code, Code::kUnknownSession) << "idle for longest";
}

TEST_F(OwnersTest, AnswersThatCannotHaveBeenSeenForgetNothing) {
  const SessionId id(11);
  ledger_.OpenSession(id, SessionOwner(1));
  const Outcome first = ledger_.Do(Deposit(id, 1));
  const Position position = ledger_.get().position();
  for (const uint64_t below : {uint64_t{3}, kHighest}) {
    EXPECT_EQ(ledger_.Do(Deposit(id, 2, below)),
              (Outcome{Code::kBadCommand, false, position, 401}));
    EXPECT_EQ(ledger_.Do(Deposit(SessionId(12), 2, below)).code, Code::kUnknownSession);
  }
  Outcome again = first;
  again.replayed = true;
  EXPECT_EQ(ledger_.Do(Deposit(id, 1)), again);
  EXPECT_EQ(ledger_.Do(Deposit(id, 2, 2)).code, Code::kOk);
}

TEST_F(OwnersTest, SnapshotsOfBeforeThereWereOwnersAreRead) {
  static constexpr std::string_view kHex =
      "42414e4b4c4544470200000080969800000000001027000000000000004000000000000080ee36000000000000"
      "093d00000000000300000000000000e8030000000000005db17b1623ed40e2c8b1ffefa9d775ad900100000000"
      "00000000000000000000aa00000000000000000000000000000000000000000000000000000000000000010673"
      "6861726564ba04010201e8070100009a751c6efef26ecc03ba04a9f4865a";
  std::string bytes;
  for (size_t i = 0; i < kHex.size(); i += 2) {
    bytes.push_back(static_cast<char>(std::stoi(std::string(kHex.substr(i, 2)), nullptr, 16)));
  }
  absl::StatusOr<Ledger> ledger = Ledger::DecodeSnapshot(bytes);
  ASSERT_TRUE(ledger.ok()) << ledger.status();
  EXPECT_EQ(ledger->position(), Position(3));
  EXPECT_EQ(ledger->summary().state_digest, 0xad75d7a9efffb1c8u);
  EXPECT_EQ(ledger->summary().sessions, 1u);
  const absl::StatusOr<Ledger> again = Ledger::DecodeSnapshot(ledger->Freeze().Encode());
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(again->summary().state_digest, 0xad75d7a9efffb1c8u);
}

// The rule as it is told, without any order kept beside the sessions.
class PlainSessions {
 public:
  struct One {
    SessionOwner owner;
    uint64_t used;
    uint64_t remembered;
    int64_t used_ms;
  };
  explicit PlainSessions(const Limits& limits) : limits_(limits) {}

  const std::map<SessionId, One>& all() const { return all_; }

  bool Open(SessionId id, SessionOwner owner, int64_t now_ms) {
    if (all_.contains(id)) return false;
    while (all_.size() >= limits_.sessions_max) {
      // As if the new one stood already: each owner's count.
      std::map<SessionOwner, uint64_t> counts;
      for (const auto& [other, one] : all_) counts[one.owner] += !IsBranchSession(other);
      const bool customer = !IsBranchSession(id);
      if (customer) ++counts[owner];
      std::optional<SessionId> victim;
      for (const auto& [other, one] : all_) {
        if (IsBranchSession(other)) continue;
        if (!victim.has_value()) victim = other;
        const One& best = all_.at(*victim);
        const uint64_t count = counts[one.owner];
        const uint64_t most = counts[best.owner];
        if (count > most || (count == most && one.used < best.used)) victim = other;
      }
      const bool alone = victim.has_value() && counts[all_.at(*victim).owner] == 1;
      if (customer && alone && counts[owner] == 1 &&
          now_ms - all_.at(*victim).used_ms < limits_.only_session_idle_ms_min) {
        return false;
      }
      if (!victim.has_value()) victim = Idlest();
      all_.erase(*victim);
    }
    all_[id] = {owner, ++uses_, 0, now_ms};
    return true;
  }

  // One more outcome of an open session.
  void Remember(SessionId id, int64_t now_ms) {
    One& used = all_.at(id);
    used.used = ++uses_;
    used.used_ms = now_ms;
    ++used.remembered;
    while (all_.size() > 1) {
      uint64_t sum = 0;
      std::map<SessionOwner, uint64_t> counts;
      for (const auto& [other, one] : all_) {
        sum += one.remembered;
        if (!IsBranchSession(other)) counts[one.owner] += one.remembered;
      }
      if (sum <= limits_.remembered_max) return;
      // Branches' sessions come after all others, as if they had less than nothing to remember.
      const auto rank = [&](const auto& entry) {
        const bool branch = IsBranchSession(entry.first);
        const uint64_t count = branch ? 0 : counts[entry.second.owner];
        return std::tuple(branch, kHighest - count, entry.second.used);
      };
      auto victim = all_.end();
      for (auto it = all_.begin(); it != all_.end(); ++it) {
        if (it->first != id && (victim == all_.end() || rank(*it) < rank(*victim))) victim = it;
      }
      all_.erase(victim);
    }
  }

 private:
  SessionId Idlest() const {
    auto idlest = all_.begin();
    for (auto it = all_.begin(); it != all_.end(); ++it) {
      if (it->second.used < idlest->second.used) idlest = it;
    }
    return idlest->first;
  }

  const Limits limits_;
  std::map<SessionId, One> all_;
  uint64_t uses_ = 0;
};

std::string TagOf(SessionId id) {
  TestLedger ledger;
  ledger.OpenSession(id, SessionOwner(1));
  return ledger.get().IdleSessions(1).at(0).tag;
}

TEST(Owners, TheSameSessionsEndAsByThePlainRule) {
  std::map<SessionId, std::string> tags;
  for (uint64_t seed = 1; seed <= 60; ++seed) {
    SCOPED_TRACE(seed);
    std::mt19937_64 random(seed);
    const auto below = [&](uint64_t bound) { return random() % bound; };
    Limits limits;
    limits.sessions_max = 1 + below(8);
    limits.remembered_max = 1 + below(30);
    limits.only_session_idle_ms_min = static_cast<int64_t>(below(60));
    TestLedger ledger(limits);
    ledger.Do({.kind = Kind::kOpen, .account = "shared"});
    PlainSessions plain(limits);
    const uint64_t owners = 1 + below(6);
    int64_t now_ms = 0;
    uint64_t sequence = 0;
    for (int step = 0; step < 300; ++step) {
      now_ms += static_cast<int64_t>(below(10));
      ledger.At(now_ms);
      if (plain.all().empty() || below(3) == 0) {
        const SessionId id(below(10) == 0 ? kBranchSessionsBegin + below(5) : 1 + below(40));
        const SessionOwner owner(1 + below(owners));
        const bool opened = ledger.OpenSession(id, owner).code == Code::kOk;
        ASSERT_EQ(opened, plain.Open(id, owner, now_ms)) << "step " << step;
      } else {
        auto it = plain.all().begin();
        std::advance(it, below(plain.all().size()));
        const SessionId id = it->first;
        ASSERT_EQ(ledger.Do(Deposit(id, ++sequence)).code, Code::kOk) << "step " << step;
        plain.Remember(id, now_ms);
      }
      std::map<std::string, uint64_t> expected;
      for (const auto& [id, one] : plain.all()) {
        std::string& tag = tags[id];
        if (tag.empty()) tag = TagOf(id);
        expected[tag] = one.remembered;
      }
      std::map<std::string, uint64_t> found;
      for (const SessionView& view : ledger.get().IdleSessions(100)) {
        found[view.tag] = view.remembered;
      }
      ASSERT_EQ(found, expected) << "step " << step;
    }
  }
}

}  // namespace
}  // namespace bank::ledger
