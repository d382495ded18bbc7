// Commands and entries: what is encoded is decoded, one value has one encoding, and bytes that are
// no encoding are refused as a whole.
#include "branch/ledger/command.h"

#include <gtest/gtest.h>

#include <limits>
#include <vector>

namespace bank::ledger {
namespace {

constexpr uint64_t kMax = std::numeric_limits<uint64_t>::max();

std::vector<Command> Extremes() {
  static const std::string longest(kEncodedNameBytesMax, 'x');
  return {
      {.kind = Kind::kQuery, .account = "shared"},
      {.kind = Kind::kOpenSession},
      {.kind = Kind::kDeposit,
       .session = SessionId(7),
       .sequence = 9,
       .answered_below = 8,
       .account = "shared",
       .amount = 170},
      {.kind = Kind::kTransfer,
       .session = SessionId(kMax),
       .sequence = kMax,
       .answered_below = 1,
       .account = longest,
       .to = "b",
       .amount = std::numeric_limits<int64_t>::min()},
      {.kind = Kind::kResolve, .session = SessionId(1), .sequence = 1, .answered_below = kMax},
      {.kind = static_cast<Kind>(200), .amount = std::numeric_limits<int64_t>::max()},
  };
}

std::string BatchOf(const std::vector<Command>& commands) {
  std::string batch;
  for (const Command& command : commands) AppendCommand(command, &batch);
  return batch;
}

TEST(Command, RoundTrip) {
  const std::string batch = BatchOf(Extremes());
  EXPECT_TRUE(ValidateBatch(batch, Extremes().size()).ok());
  CommandReader reader(batch);
  for (const Command& expected : Extremes()) {
    Command command;
    ASSERT_TRUE(reader.Next(&command));
    EXPECT_EQ(command.kind, expected.kind);
    EXPECT_EQ(command.session, expected.session);
    EXPECT_EQ(command.sequence, expected.sequence);
    EXPECT_EQ(command.answered_below, expected.answered_below);
    EXPECT_EQ(command.account, expected.account);
    EXPECT_EQ(command.to, expected.to);
    EXPECT_EQ(command.amount, expected.amount);
  }
  Command command;
  EXPECT_FALSE(reader.Next(&command));
  EXPECT_TRUE(reader.status().ok());
}

// The table of docs/FORMATS.md, by example.
TEST(Command, Bytes) {
  std::string batch;
  AppendCommand({.kind = Kind::kDeposit,
                 .session = SessionId(300),
                 .sequence = 5,
                 .answered_below = 3,
                 .account = "ab",
                 .amount = -2},
                &batch);
  EXPECT_EQ(batch, std::string("\x02\xac\x02\x05\x02\x03\x02"
                               "ab\x00",
                               10));
  EXPECT_EQ(EncodeEntry({258, 1}, batch), std::string("\x02\x02\x01\0\0\0\0\0\0\x01", 10) + batch);
  EXPECT_EQ(EncodeEntry({258, 1, Rules::kFirst}, batch),
            std::string("\x01\x02\x01\0\0\0\0\0\0\x01", 10) + batch);
}

TEST(Command, BatchesJoin) {
  const std::string one = BatchOf({{.kind = Kind::kOpenSession}});
  EXPECT_TRUE(ValidateBatch(one + one, 2).ok());
  EXPECT_TRUE(ValidateBatch("", 0).ok());
  EXPECT_EQ(ValidateBatch(one + one, 1).message(), "a batch of 2 commands, said to be 1");
  EXPECT_EQ(ValidateBatch(one + one, 3).message(), "a batch of 2 commands, said to be 3");
}

TEST(Command, EveryTruncationIsRefused) {
  const Command command = Extremes()[2];
  std::string batch;
  AppendCommand(command, &batch);
  for (size_t size = 0; size < batch.size(); ++size) {
    const std::string_view cut = std::string_view(batch).substr(0, size);
    EXPECT_FALSE(ValidateBatch(cut, 1).ok()) << size;
    CommandReader reader(cut);
    Command read;
    EXPECT_FALSE(reader.Next(&read)) << size;
    EXPECT_EQ(reader.status().ok(), size == 0) << size;
    EXPECT_FALSE(reader.Next(&read)) << "a reader that failed stays failed";
  }
}

TEST(Command, MalformedIsRefused) {
  // Each beside the one next to it that is taken.
  EXPECT_TRUE(ValidateBatch(std::string("\x02\x00\x01\x00\x02\x00\x00", 7), 1).ok());
  EXPECT_EQ(ValidateBatch(std::string("\x02\x80\x00\x01\x00\x02\x00\x00", 8), 1).message(),
            "malformed command 0 at byte 0 of the batch")
      << "a varint with a needless byte";
  const auto named = [](const std::string& length, size_t bytes) {
    return std::string("\x02\x01\x01\x00\x02", 5) + length + std::string(bytes, 'x') +
           std::string(1, '\0');
  };
  EXPECT_TRUE(ValidateBatch(named("\x80\x20", 4096), 1).ok());
  EXPECT_EQ(ValidateBatch(named("\x81\x20", 4097), 1).message(),
            "malformed command 0 at byte 0 of the batch");
}

TEST(Entry, RoundTrip) {
  const std::string batch = BatchOf(Extremes());
  EntryHeader header;
  std::string_view read;
  ASSERT_TRUE(DecodeEntry(EncodeEntry({-5, 0}, ""), &header, &read).ok());
  EXPECT_EQ(header.time_ms, -5);
  const std::string payload = EncodeEntry({1'234, 6}, batch);
  ASSERT_TRUE(DecodeEntry(payload, &header, &read).ok());
  EXPECT_EQ(header.time_ms, 1'234);
  EXPECT_EQ(header.count, 6u);
  EXPECT_EQ(read, batch);
}

TEST(Entry, MalformedIsRefused) {
  EntryHeader header;
  std::string_view batch;
  const std::string payload = EncodeEntry({1, 1}, BatchOf({{.kind = Kind::kOpenSession}}));
  for (size_t size = 0; size < payload.size(); ++size) {
    EXPECT_FALSE(DecodeEntry(payload.substr(0, size), &header, &batch).ok()) << size;
  }
  std::string version = payload;
  for (const char unknown : {0, 3}) {
    version[0] = unknown;
    EXPECT_FALSE(DecodeEntry(version, &header, &batch).ok());
  }
  EXPECT_FALSE(DecodeEntry(EncodeEntry({1, uint64_t{1} << 60}, "x"), &header, &batch).ok());
}

}  // namespace
}  // namespace bank::ledger
