// Goal: no message does harm for ever, whoever makes it up: what cannot be true is refused, and the
// bank goes on; nothing that comes from outside ends a branch.
// Method: bank_of.h, with messages in the name of a branch that never sent them; then many at
// random.
#include <gtest/gtest.h>

#include <random>

#include "tests/support/bank_of.h"

namespace bank::replication {
namespace {

const Term kTooFar(kTermMax);

// A bank in which something is committed, and the one of its followers that is lied to.
struct LiedTo {
  LiedTo() : bank(3), leader(bank.Elect()), victim(BankOf::Other(leader)) {
    bank.Open(leader, 100);
    bank.Advance(300);
  }
  void Tell(uint64_t from, Message message) {
    bank.driver(victim).OnMessage(bank.now_ms, BranchId(from), std::move(message));
    bank.Run();
  }
  ReplicatorStatus status() { return bank.driver(victim).GetStatus(); }
  // A bank that takes a deposit, from a leader that is elected now, still is one.
  void ExpectAlive() {
    bank.Crash(bank.leader());
    ASSERT_TRUE(bank.AdvanceUntil([&] { return bank.leader() != 0; }));
    std::optional<ProposeResult> result;
    const uint64_t now_leads = bank.Elect();
    bank.Deposit(now_leads, 1, &result);
    ASSERT_TRUE(bank.AdvanceUntil([&] { return result.has_value(); }));
    EXPECT_EQ(result->fate, Fate::kApplied) << result->reason;
  }

  BankOf bank;
  const uint64_t leader;
  const uint64_t victim;
};

TEST(Refusals, TermsFarAheadOfOnesOwn) {
  const std::vector<Message> messages = {
      RequestVote{2, kTooFar, BranchId(0), LogIndex(9), Term(1), true, false},
      RequestVoteResult{2, kTooFar, true, false, 0, 0},
      AppendEntries{1, kTooFar, LogIndex(0), Term(0), LogIndex(0), {}},
      AppendEntriesResult{1, kTooFar, LogIndex(0), LogIndex(1), 0, 0},
      InstallSnapshot{1, kTooFar, {}},
      TimeoutNow{1, kTooFar, LogIndex(9), Term(1)},
      ReadProbe{kTooFar, 1},
      ReadProbeResult{kTooFar, 1},
      LostLog{kTooFar, LogIndex(1)},
      LogBehindAcknowledged{kTooFar, LogIndex(1'000'000)},
      NoMember{kTooFar, LogIndex(1'000'000)},
      Challenge{kTooFar, 1},
      ChallengeResult{.term = kTooFar, .nonce = 1, .holds = true}};
  LiedTo lie;
  for (const uint64_t told : {lie.victim, lie.leader}) {
    for (Message message : messages) {
      const uint64_t from = BankOf::Other(told);
      if (auto* vote = std::get_if<RequestVote>(&message)) vote->candidate = BranchId(from);
      const storage::HardState before = lie.bank[told].disk.hard_state;
      const size_t refused = lie.bank[told].refused.size();
      lie.bank.driver(told).OnMessage(lie.bank.now_ms, BranchId(from), message);
      EXPECT_EQ(lie.bank[told].refused.size(), refused + 1) << "message " << message.index();
      EXPECT_EQ(lie.bank[told].disk.hard_state, before) << "message " << message.index();
      EXPECT_EQ(lie.bank.driver(told).GetStatus().rebuilding, false);
    }
  }
  lie.bank.Advance(5000);
  EXPECT_EQ(lie.bank.leader(), lie.leader) << "who was asked back knows nothing of it";
  for (const uint64_t id : {1, 2, 3}) EXPECT_EQ(lie.bank[id].fatal, "");
  lie.ExpectAlive();
}

// Whoever pretends to come back from far away can raise one branch's term. The others, however far
// they are behind it then, catch up with it.
TEST(Refusals, ABranchWhoseTermWasRaisedIsNotPartedFromTheOthers) {
  LiedTo lie;
  const Term before = lie.status().term;
  for (int times = 1; times <= 20; ++times) {
    lie.Tell(6 - lie.leader - lie.victim,
             RequestVote{2, lie.status().term.Plus(kTermStepMax),
                         BranchId(6 - lie.leader - lie.victim), LogIndex(1), Term(1), true, false});
  }
  EXPECT_EQ(lie.status().term, before.Plus(20 * kTermStepMax));
  // Nobody can make up the answer to the others' question.
  lie.Tell(lie.leader, ChallengeResult{.term = kTooFar, .nonce = 7});
  ASSERT_TRUE(lie.bank.AdvanceUntil([&] {
    const uint64_t leader = lie.bank.leader();
    return leader != 0 && lie.bank.driver(leader).GetStatus().term > before.Plus(20 * kTermStepMax);
  }));
  EXPECT_LT(lie.status().term, before.Plus(21 * kTermStepMax));
  lie.ExpectAlive();
}

// The engine would stop the process.
TEST(Refusals, WhatContradictsWhatIsCommitted) {
  LiedTo lie;
  const ReplicatorStatus before = lie.status();
  const LogIndex last = before.commit_index;
  const Term newer = before.term.Next();
  const std::string kMembers = *lie.bank[lie.victim].disk.entries.front().payload;
  lie.Tell(lie.leader, InstallSnapshot{1,
                                       newer,
                                       {LogIndex(last.value - 1), newer, LogIndex(1), kMembers,
                                        std::make_shared<const std::string>()}});
  static const auto kNothing = std::make_shared<const std::string>();
  const storage::Entry other{newer, storage::EntryType::kBarrier, kNothing};
  lie.Tell(lie.leader, AppendEntries{1, newer, last, newer, last, {}});
  lie.Tell(lie.leader,
           AppendEntries{1, newer, LogIndex(last.value - 1), before.term, last, {other}});
  lie.Tell(lie.leader, AppendEntries{1, newer, LogIndex(0), Term(0), last, {other, other}});
  EXPECT_EQ(lie.bank[lie.victim].refused.size(), 4u);
  EXPECT_EQ(lie.status().term, before.term);
  EXPECT_EQ(lie.status().last_index, before.last_index);
  lie.ExpectAlive();
}

// A branch that abstains notes the terms in which it was asked for its vote. However high they are,
// it votes again, and for itself no sooner than for others.
TEST(Refusals, AVoteAskedInAHighTermWhileABranchIsFilled) {
  LiedTo lie;
  const uint64_t third = 6 - lie.leader - lie.victim;
  lie.bank.StartRebuilding(lie.victim);  // somebody else may lead afterwards
  const Term asked = lie.bank.driver(lie.leader).GetStatus().term.Plus(1'000'000);
  lie.Tell(third, RequestVote{2, asked, BranchId(third), LogIndex(1), Term(1), false, false});
  ASSERT_TRUE(lie.bank.AdvanceUntil([&] { return !lie.bank[lie.victim].disk.rebuilding; }));
  lie.bank.Elect();
  lie.bank.Crash(lie.bank.leader());
  ASSERT_TRUE(lie.bank.AdvanceUntil([&] {
    const storage::HardState& state = lie.bank[lie.victim].disk.hard_state;
    EXPECT_TRUE(state.vote == BranchId(0) || state.term > asked) << state.term.value;
    return lie.bank.leader() != 0;
  }));
  EXPECT_GT(lie.bank.driver(lie.bank.leader()).GetStatus().term, asked);
}

// Makes up messages around what the branch that is told holds.
class Liar {
 public:
  Liar(BankOf& bank, uint32_t seed) : bank_(bank), random_(seed) {}

  Message Next(uint64_t told, BranchId from) {
    const ReplicatorStatus status = bank_.driver(told).GetStatus();
    const auto term = [&] { return Near(status.term.value, kTermMax); };
    const auto index = [&] { return Near(status.last_index.value, kLogIndexMax); };
    const uint8_t version = static_cast<uint8_t>(random_() % 4);
    switch (random_() % 13) {
      case 0:
        return RequestVote{version,      Term(term()), from,  LogIndex(index()),
                           Term(term()), Coin(),       Coin()};
      case 1:
        return RequestVoteResult{version, Term(term()), Coin(), Coin(), Small(), Small()};
      case 2:
      case 3:
      case 4:
        return MakeAppend(version, status);
      case 5:
        return AppendEntriesResult{version,           Term(term()), LogIndex(Coin() ? 0 : index()),
                                   LogIndex(index()), Small(),      Small()};
      case 6:
        return MakeInstall(version, status);
      case 7:
        return TimeoutNow{version, Term(term()), LogIndex(index()), Term(term())};
      case 8:
        return LostLog{Term(term()), LogIndex(index())};
      case 9:
        return ChallengeResult{.term = Term(term()),
                               .nonce = 1 + random_() % 100,
                               .acknowledged = LogIndex(index()),
                               .no_member_since = LogIndex(index()),
                               .holds = Coin(),
                               .lost = Coin()};
      case 10:
        return LogBehindAcknowledged{Term(term()), LogIndex(index())};
      case 11:
        return NoMember{Term(term()), LogIndex(index())};
      default:
        return ReadProbeResult{Term(term()), random_() % 100};
    }
  }

 private:
  bool Coin() { return random_() % 2 == 0; }
  uint16_t Small() { return static_cast<uint16_t>(random_() % 1000); }
  uint64_t Near(uint64_t value, uint64_t max) {
    const uint64_t far = random_() % 50;
    if (far == 0) return max;
    if (far == 1) return 0;
    const uint64_t moved = value + random_() % 7;
    return moved < 3 ? 0 : moved - 3;
  }
  AppendEntries MakeAppend(uint8_t version, const ReplicatorStatus& status) {
    AppendEntries append;
    append.version = version;
    append.term = Term(std::max<uint64_t>(1, Near(status.term.value, kTermMax)));
    append.prev_log_index = LogIndex(Near(status.last_index.value, kLogIndexMax - 10));
    append.prev_log_term = Term(std::min(append.term.value, Near(status.term.value, kTermMax)));
    append.leader_commit = LogIndex(Near(status.commit_index.value, kLogIndexMax));
    Term last = Term(std::max<uint64_t>(1, append.prev_log_term.value));
    for (uint64_t n = random_() % 5; n > 0; --n) {
      if (Coin() && last < append.term) last = last.Next();
      append.entries.push_back(MakeEntry(last));
    }
    return append;
  }
  storage::Entry MakeEntry(Term term) {
    std::string batch;
    switch (random_() % 4) {
      case 0:
        return {term, storage::EntryType::kBarrier, std::make_shared<const std::string>()};
      case 1:
        return {term, storage::EntryType::kChange,
                std::make_shared<const std::string>(MakeMembers())};
      default:
        ledger::AppendCommand({.kind = ledger::Kind::kDeposit,
                               .session = SessionId(random_() % 3),
                               .sequence = random_() % 5,
                               .answered_below = random_(),
                               .account = ledger::kSharedAccount,
                               .amount = static_cast<int64_t>(random_())},
                              &batch);
        return {term, storage::EntryType::kCommand,
                std::make_shared<const std::string>(ledger::EncodeEntry(
                    {Coin() ? kBankTimeMsMax : static_cast<int64_t>(random_() % 1000), 1}, batch))};
    }
  }
  // Right, or with one voter too few, or the same id or address twice, or not even that.
  std::string MakeMembers() {
    std::vector<Member> members;
    for (uint64_t id = 1; id <= 1 + random_() % 4; ++id) {
      members.push_back({BranchId(id), BankOf::Address(id), random_() % 5 != 0});
    }
    const auto bytes = EncodeConfiguration(members, {});
    BANK_CHECK(bytes.ok());
    std::string out = *bytes;
    if (Coin()) out[random_() % out.size()] = static_cast<char>(random_() % 5);
    return out;
  }
  InstallSnapshot MakeInstall(uint8_t version, const ReplicatorStatus& status) {
    InstallSnapshot install;
    install.version = version;
    install.term = Term(std::max<uint64_t>(1, Near(status.term.value, kTermMax)));
    // Not to the last index there is: it would be well-formed, and there is nothing after it.
    install.snapshot.index = LogIndex(1 + Near(status.last_index.value, 1'000'000));
    install.snapshot.term = Term(std::max<uint64_t>(1, status.term.value));
    install.snapshot.configuration_index = LogIndex(1);
    install.snapshot.configuration = MakeMembers();
    install.snapshot.state = std::make_shared<const std::string>(
        Coin() ? ledger::Ledger().Freeze().Encode() : std::string("no state"));
    return install;
  }

  BankOf& bank_;
  std::mt19937 random_;
};

// Afterwards the bank is whatever the lies made of it, and a branch may believe that it lost what
// it had acknowledged; but none was brought down by bytes it should have refused.
TEST(Refusals, NoLieBreaksAnInvariant) {
  for (uint32_t seed = 1; seed <= 40; ++seed) {
    BankOf bank(3);
    bank.Open(bank.Elect(), 100);
    Liar liar(bank, seed);
    for (int i = 0; i < 500; ++i) {
      const uint64_t told = 1 + static_cast<uint64_t>(i) % 3;
      const BranchId from(BankOf::Other(told));
      bank.driver(told).OnMessage(bank.now_ms, from, liar.Next(told, from));
      if (i % 3 == 0) bank.Run();
      if (i % 20 == 0) bank.Advance(300);
    }
    bank.Advance(3000);
  }
}

}  // namespace
}  // namespace bank::replication
