// Snapshots: the same state comes back, equal states have equal bytes, and bytes that no ledger
// wrote are refused, also when a forger has set the checksum right.
#include "common/crc32c.h"
#include "tests/support/test_ledger.h"

namespace bank::ledger {
namespace {

bool operator==(const Summary& a, const Summary& b) {
  return a.position == b.position && a.time_ms == b.time_ms && a.accounts == b.accounts &&
         a.sessions == b.sessions && a.balance_total == b.balance_total &&
         a.state_digest == b.state_digest && a.history_digest == b.history_digest;
}

// A ledger with something of everything, small enough to damage at every byte.
std::string SmallSnapshot() {
  TestLedger ledger(SmallLimits());
  ledger.At(5);
  ledger.Do({.kind = Kind::kOpen, .account = "alice", .amount = 400});
  ledger.Do({.kind = Kind::kOpen, .account = "bob"});
  const SessionId session = ledger.OpenSession();
  for (uint64_t sequence : {1, 2, 4}) {
    ledger.Do({.kind = Kind::kWithdraw,
               .session = session,
               .sequence = sequence,
               .answered_below = sequence - 1,
               .account = "alice",
               .amount = 150});
  }
  ledger.OpenSession();
  return ledger.get().Freeze().Encode();
}

std::string WithChecksum(std::string bytes) {
  bytes.resize(bytes.size() - 4);
  const uint32_t crc = Crc32c(bytes);
  for (int i = 0; i < 4; ++i) bytes.push_back(static_cast<char>(crc >> (8 * i)));
  return bytes;
}

TEST(Snapshot, RoundTripsAndGoesOnAlike) {
  for (uint64_t seed = 0; seed < 20; ++seed) {
    SCOPED_TRACE(seed);
    RandomEntries entries(seed);
    Ledger original(SmallLimits());
    Feed(&original, entries.Take(400));
    const std::string bytes = original.Freeze().Encode();
    absl::StatusOr<Ledger> restored = Ledger::DecodeSnapshot(bytes);
    ASSERT_TRUE(restored.ok()) << restored.status();
    EXPECT_TRUE(restored->summary() == original.summary());
    EXPECT_EQ(restored->Freeze().Encode(), bytes);

    // The sessions came along: both answer the same to what follows, retries included.
    const std::vector<std::string> after = entries.Take(200);
    EXPECT_EQ(Feed(&original, after), Feed(&*restored, after));
    EXPECT_TRUE(restored->summary() == original.summary());
    EXPECT_EQ(restored->Freeze().Encode(), original.Freeze().Encode());
  }
}

TEST(Snapshot, AnEmptyLedgerRoundTrips) {
  const absl::StatusOr<Ledger> restored = Ledger::DecodeSnapshot(Ledger().Freeze().Encode());
  ASSERT_TRUE(restored.ok()) << restored.status();
  EXPECT_EQ(restored->position(), Position(0));
}

TEST(Snapshot, EveryFlippedBitIsRefused) {
  const std::string bytes = SmallSnapshot();
  for (size_t i = 0; i < bytes.size() * 8; ++i) {
    std::string damaged = bytes;
    damaged[i / 8] = static_cast<char>(damaged[i / 8] ^ (1 << (i % 8)));
    EXPECT_EQ(Ledger::DecodeSnapshot(damaged).status().code(), absl::StatusCode::kDataLoss) << i;
  }
}

TEST(Snapshot, EveryTruncationIsRefused) {
  const std::string bytes = SmallSnapshot();
  for (size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_FALSE(Ledger::DecodeSnapshot(bytes.substr(0, size)).ok()) << size;
    if (size >= 4) {
      EXPECT_FALSE(Ledger::DecodeSnapshot(WithChecksum(bytes.substr(0, size))).ok()) << size;
    }
  }
  EXPECT_FALSE(Ledger::DecodeSnapshot(WithChecksum(bytes + "x")).ok());
}

// Whatever a forger writes is refused, or is the canonical snapshot of some ledger.
TEST(Snapshot, ForgedBytesAreRefusedOrCanonical) {
  const std::string bytes = SmallSnapshot();
  int accepted = 0;
  for (size_t i = 0; i + 4 < bytes.size(); ++i) {
    for (const int value : {0x00, 0x01, 0x7f, 0x80, 0xff, bytes[i] + 1, bytes[i] - 1}) {
      std::string forged = bytes;
      forged[i] = static_cast<char>(value);
      forged = WithChecksum(forged);
      const absl::StatusOr<Ledger> decoded = Ledger::DecodeSnapshot(forged);
      if (!decoded.ok()) continue;
      ++accepted;
      EXPECT_EQ(decoded->Freeze().Encode(), forged) << i;
    }
  }
  EXPECT_GT(accepted, 0) << "limits and time, say, may have other values";
}

TEST(Snapshot, AForgedCountAllocatesNothing) {
  const std::string bytes = Ledger().Freeze().Encode();
  // The two counts, of accounts and of sessions, are the last bytes before the checksum.
  const std::string head = bytes.substr(0, bytes.size() - 6);
  const std::string huge = "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01";
  const std::string end(4, '\0');  // the checksum's place
  EXPECT_TRUE(Ledger::DecodeSnapshot(WithChecksum(head + '\0' + '\0' + end)).ok());
  EXPECT_EQ(Ledger::DecodeSnapshot(WithChecksum(head + huge + end)).status().message(),
            "ledger snapshot: accounts");
  EXPECT_EQ(Ledger::DecodeSnapshot(WithChecksum(head + '\0' + huge + end)).status().message(),
            "ledger snapshot: sessions");
}

}  // namespace
}  // namespace bank::ledger
