// Frozen ledgers: whatever becomes of the ledger afterwards, a frozen copy stays what it was.
#include <thread>
#include <utility>
#include <vector>

#include "branch/ledger/account_table.h"
#include "tests/support/test_ledger.h"

namespace bank::ledger {
namespace {

std::string NameOf(uint64_t i) { return "account-" + std::to_string(i); }

// Enough accounts for several pages, each with a balance of its own, and sessions that remember.
Ledger LargeLedger(uint64_t accounts, uint64_t sessions) {
  Ledger ledger;
  std::vector<std::string> names;
  for (uint64_t i = 0; i < accounts; ++i) names.push_back(NameOf(i));
  std::vector<Command> commands;
  for (uint64_t i = 0; i < accounts; ++i) {
    commands.push_back({.kind = Kind::kOpen, .account = names[i], .amount = 10 + int64_t(i)});
  }
  for (uint64_t i = 0; i < sessions; ++i) commands.push_back({.kind = Kind::kOpenSession});
  Feed(&ledger, {EntryOf(1, commands)});
  return ledger;
}

// One deposit to each account, in the sessions by turns.
std::string DepositToAll(uint64_t accounts, uint64_t sessions, uint64_t round) {
  std::vector<std::string> names;
  for (uint64_t i = 0; i < accounts; ++i) names.push_back(NameOf(i));
  std::vector<Command> commands;
  for (uint64_t i = 0; i < accounts; ++i) {
    commands.push_back({.kind = Kind::kDeposit,
                        .session = SessionId(accounts + 1 + i % sessions),
                        .sequence = round * accounts + i / sessions + 1,
                        .account = names[i],
                        .amount = 1});
  }
  return EntryOf(2 + static_cast<int64_t>(round), commands);
}

TEST(FrozenLedger, StaysWhatItWasWhateverFollows) {
  for (uint64_t seed = 0; seed < 20; ++seed) {
    SCOPED_TRACE(seed);
    RandomEntries entries(seed);
    Ledger ledger(SmallLimits());
    std::vector<std::pair<FrozenLedger, std::string>> frozen;
    for (int i = 0; i < 100; ++i) {
      Feed(&ledger, entries.Take(4));
      FrozenLedger copy = ledger.Freeze();
      std::string bytes = copy.Encode();
      EXPECT_EQ(copy.summary().state_digest, ledger.summary().state_digest);
      frozen.emplace_back(std::move(copy), std::move(bytes));
    }
    for (const auto& [copy, bytes] : frozen) EXPECT_EQ(copy.Encode(), bytes);
  }
}

TEST(FrozenLedger, KeepsEveryPageAndWindow) {
  constexpr uint64_t kAccounts = 3 * kAccountsPerPage + 7;
  constexpr uint64_t kSessions = 5;
  Ledger ledger = LargeLedger(kAccounts, kSessions);
  Feed(&ledger, {DepositToAll(kAccounts, kSessions, 0)});
  const FrozenLedger before = ledger.Freeze();
  const std::string bytes = before.Encode();
  Feed(&ledger, {DepositToAll(kAccounts, kSessions, 1)});
  const FrozenLedger after = ledger.Freeze();
  EXPECT_EQ(before.Encode(), bytes);
  EXPECT_TRUE(before.CheckConservation().ok());
  EXPECT_EQ(before.TopAccounts(1),
            (std::vector<AccountView>{{NameOf(kAccounts - 1), 10 + int64_t{kAccounts}}}));
  EXPECT_EQ(after.TopAccounts(1),
            (std::vector<AccountView>{{NameOf(kAccounts - 1), 11 + int64_t{kAccounts}}}));
  absl::StatusOr<Ledger> restored = Ledger::DecodeSnapshot(after.Encode());
  ASSERT_TRUE(restored.ok()) << restored.status();
  EXPECT_EQ(restored->summary().state_digest, ledger.summary().state_digest);
}

TEST(FrozenLedger, SeesNoAccountOpenedLater) {
  Ledger ledger = LargeLedger(kAccountsPerPage - 1, 1);
  const FrozenLedger before = ledger.Freeze();
  const std::string bytes = before.Encode();
  Feed(&ledger, {EntryOf(2, {{.kind = Kind::kOpen, .account = "a", .amount = 1'000'000},
                             {.kind = Kind::kOpen, .account = "b", .amount = 1'000'000}})});
  EXPECT_EQ(before.Encode(), bytes);
  EXPECT_EQ(before.summary().accounts, kAccountsPerPage - 1);
  EXPECT_EQ(before.TopAccounts(1)[0].name, NameOf(kAccountsPerPage - 2));
  EXPECT_EQ(ledger.Freeze().TopAccounts(1)[0].name, "a");
}

TEST(FrozenLedger, OutlivesItsLedger) {
  std::string bytes;
  const FrozenLedger frozen = [&] {
    const Ledger ledger = LargeLedger(1000, 3);
    bytes = ledger.Freeze().Encode();
    return ledger.Freeze();
  }();
  EXPECT_EQ(frozen.Encode(), bytes);
}

// For the sanitizers: nothing that the reader looks at is written meanwhile.
TEST(FrozenLedger, IsEncodedWhileTheLedgerGoesOn) {
  constexpr uint64_t kAccounts = 2'000;
  constexpr uint64_t kSessions = 4;
  Ledger ledger = LargeLedger(kAccounts, kSessions);
  for (uint64_t round = 0; round < 8; ++round) {
    const FrozenLedger frozen = ledger.Freeze();
    const std::string bytes = frozen.Encode();
    std::string beside;
    std::thread reader([frozen, &beside] { beside = frozen.Encode(); });
    Feed(&ledger, {DepositToAll(kAccounts, kSessions, round),
                   EntryOf(100, {{.kind = Kind::kOpen, .account = "new-" + std::to_string(round)},
                                 {.kind = Kind::kOpenSession}})});
    reader.join();
    EXPECT_EQ(beside, bytes);
  }
}

}  // namespace
}  // namespace bank::ledger
