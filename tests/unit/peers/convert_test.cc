// Goal: what one branch says arrives as it was said, and nothing malformed gets past the edge.
// Method: every kind of message there and back through real bytes; then a table of bad fields.
// Any bytes at all: tests/fuzz.
#include "branch/peers/convert.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

#include "branch/ledger/command.h"
#include "common/crc32c.h"

namespace bank::peers {
namespace {

using namespace replication;
using ::testing::HasSubstr;

storage::Entry MakeEntry(uint64_t term, storage::EntryType type, std::string payload) {
  return {Term(term), type, std::make_shared<const std::string>(std::move(payload))};
}

std::string MakeCommands(uint64_t count, int64_t time_ms = 5) {
  std::string batch;
  for (uint64_t i = 0; i < count; ++i) {
    ledger::AppendCommand({.kind = ledger::Kind::kDeposit,
                           .session = SessionId(3),
                           .sequence = 7 + i,
                           .account = "a"},
                          &batch);
  }
  return ledger::EncodeEntry({time_ms, count}, batch);
}

Message ThereAndBack(const Message& message) {
  v1::PeerMessage wire;
  EXPECT_TRUE(wire.ParseFromString(ToWire(message).SerializeAsString()));
  auto back = FromWire(BranchId(2), std::move(wire));
  EXPECT_TRUE(back.ok()) << back.status();
  return *std::move(back);
}

TEST(Convert, VotesKeepEveryField) {
  auto vote = std::get<RequestVote>(
      ThereAndBack(RequestVote{2, Term(7), BranchId(2), LogIndex(11), Term(6), true, true}));
  EXPECT_EQ(vote.version, 2);
  EXPECT_EQ(vote.term, Term(7));
  EXPECT_EQ(vote.candidate, BranchId(2));
  EXPECT_EQ(vote.last_log_index, LogIndex(11));
  EXPECT_EQ(vote.last_log_term, Term(6));
  EXPECT_TRUE(vote.disrupt_leader);
  EXPECT_TRUE(vote.pre_vote);

  auto result =
      std::get<RequestVoteResult>(ThereAndBack(RequestVoteResult{2, Term(7), true, true, 3, 4}));
  EXPECT_EQ(result.version, 2);
  EXPECT_EQ(result.term, Term(7));
  EXPECT_TRUE(result.vote_granted);
  EXPECT_TRUE(result.pre_vote);
  EXPECT_EQ(result.features, 3);
  EXPECT_EQ(result.capacity, 4);
}

TEST(Convert, EntriesKeepEveryField) {
  AppendEntries append{1, Term(9), LogIndex(20), Term(8), LogIndex(19), {}};
  append.entries.push_back(MakeEntry(9, storage::EntryType::kCommand, MakeCommands(2)));
  append.entries.push_back(MakeEntry(9, storage::EntryType::kBarrier, ""));
  append.entries.push_back(MakeEntry(9, storage::EntryType::kChange, "conf"));
  auto back = std::get<AppendEntries>(ThereAndBack(append));
  EXPECT_EQ(back.version, 1);
  EXPECT_EQ(back.term, Term(9));
  EXPECT_EQ(back.prev_log_index, LogIndex(20));
  EXPECT_EQ(back.prev_log_term, Term(8));
  EXPECT_EQ(back.leader_commit, LogIndex(19));
  ASSERT_EQ(back.entries.size(), 3u);
  for (size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(back.entries[i].term, append.entries[i].term);
    EXPECT_EQ(back.entries[i].type, append.entries[i].type);
    EXPECT_EQ(*back.entries[i].payload, *append.entries[i].payload);
  }

  auto result = std::get<AppendEntriesResult>(
      ThereAndBack(AppendEntriesResult{1, Term(9), LogIndex(20), LogIndex(15), 1, 2, 3}));
  EXPECT_EQ(result.life, 3u);
  EXPECT_EQ(result.rejected, LogIndex(20));
  EXPECT_EQ(result.last_log_index, LogIndex(15));
  EXPECT_EQ(result.features, 1);
  EXPECT_EQ(result.capacity, 2);
}

TEST(Convert, SmallMessagesKeepEveryField) {
  auto timeout = std::get<TimeoutNow>(ThereAndBack(TimeoutNow{1, Term(4), LogIndex(3), Term(2)}));
  EXPECT_EQ(timeout.term, Term(4));
  EXPECT_EQ(timeout.last_log_index, LogIndex(3));
  EXPECT_EQ(timeout.last_log_term, Term(2));
  auto probe = std::get<ReadProbe>(ThereAndBack(ReadProbe{Term(5), 6}));
  EXPECT_EQ(probe.term, Term(5));
  EXPECT_EQ(probe.round, 6u);
  auto answer = std::get<ReadProbeResult>(ThereAndBack(ReadProbeResult{Term(5), 6}));
  EXPECT_EQ(answer.term, Term(5));
  EXPECT_EQ(answer.round, 6u);
  const auto challenge = std::get<Challenge>(ThereAndBack(Challenge{Term(5), 6}));
  EXPECT_EQ(challenge.term, Term(5));
  EXPECT_EQ(challenge.nonce, 6u);
  for (const bool holds : {false, true}) {
    const auto said = std::get<ChallengeResult>(
        ThereAndBack(ChallengeResult{Term(5), 6, LogIndex(7), LogIndex(8), holds, !holds, 9}));
    EXPECT_EQ(said.life, 9u);
    EXPECT_EQ(said.term, Term(5));
    EXPECT_EQ(said.nonce, 6u);
    EXPECT_EQ(said.acknowledged, LogIndex(7));
    EXPECT_EQ(said.no_member_since, LogIndex(8));
    EXPECT_EQ(said.holds, holds);
    EXPECT_EQ(said.lost, !holds);
  }
  EXPECT_EQ(std::get<LostLog>(ThereAndBack(LostLog{Term(5), LogIndex(6)})).last_log_index,
            LogIndex(6));
  EXPECT_EQ(
      std::get<LogBehindAcknowledged>(ThereAndBack(LogBehindAcknowledged{Term(5), LogIndex(6)}))
          .acknowledged,
      LogIndex(6));
  EXPECT_EQ(std::get<NoMember>(ThereAndBack(NoMember{Term(5), LogIndex(6)})).configuration_index,
            LogIndex(6));
}

InstallSnapshot MakeInstall() {
  InstallSnapshot install;
  install.version = 1;
  install.term = Term(4);
  install.snapshot = {LogIndex(100), Term(3), LogIndex(50), "conf",
                      std::make_shared<const std::string>("the state")};
  return install;
}

TEST(Convert, SnapshotsAreTakenOnlyWhole) {
  const InstallSnapshot install = MakeInstall();
  auto back = FromWire(ToWire(install), "the state");
  ASSERT_TRUE(back.ok()) << back.status();
  const auto& got = std::get<InstallSnapshot>(*back);
  EXPECT_EQ(got.term, install.term);
  EXPECT_EQ(got.snapshot.index, install.snapshot.index);
  EXPECT_EQ(got.snapshot.term, install.snapshot.term);
  EXPECT_EQ(got.snapshot.configuration_index, install.snapshot.configuration_index);
  EXPECT_EQ(got.snapshot.configuration, "conf");
  EXPECT_EQ(*got.snapshot.state, "the state");

  EXPECT_FALSE(FromWire(ToWire(install), "the stat").ok());
  EXPECT_FALSE(FromWire(ToWire(install), "the Xtate").ok());
}

// A field, and the smallest and greatest values that are taken; what lies next to them is refused.
template <class Wire>
struct Field {
  const char* name;
  std::function<void(Wire&, uint64_t)> set;
  uint64_t min;
  uint64_t max;
  const char* bound = nullptr;  // the field that its minimum comes from, and a refusal names
};

template <class Wire, class Check>
void ExpectRanges(const Wire& good, const std::vector<Field<Wire>>& fields, Check check) {
  for (const Field<Wire>& field : fields) {
    const auto status_of = [&](uint64_t value) {
      Wire wire = good;
      field.set(wire, value);
      return check(std::move(wire)).status();
    };
    const std::string what = good.GetTypeName() + " " + field.name;
    EXPECT_TRUE(status_of(field.min).ok()) << what << ": " << status_of(field.min);
    EXPECT_TRUE(status_of(field.max).ok()) << what << ": " << status_of(field.max);
    const auto expect_refused = [&](const absl::Status& refused, const char* named) {
      EXPECT_TRUE(absl::IsInvalidArgument(refused)) << what;
      EXPECT_THAT(std::string(refused.message()), HasSubstr(named)) << what;
    };
    if (field.min > 0) {
      expect_refused(status_of(field.min - 1), field.bound == nullptr ? field.name : field.bound);
    }
    if (field.max < UINT64_MAX) {
      expect_refused(status_of(field.max + 1), field.name);
      EXPECT_TRUE(absl::IsInvalidArgument(status_of(UINT64_MAX)) || field.max <= UINT32_MAX)
          << what;  // a field of 32 bits is cut by the wire
    }
  }
}

// Every number of every message, one row each.
TEST(Convert, NumbersOutOfTheirRangeAreRefused) {
  using Wire = v1::PeerMessage;
  const auto check = [](Wire wire) { return FromWire(BranchId(2), std::move(wire)); };
  const auto expect = [&](const Message& good, const std::vector<Field<Wire>>& fields) {
    ExpectRanges(ToWire(good), fields, check);
  };
#define BANK_FIELD(message, field, min, max) \
  {#field, [](Wire& w, uint64_t v) { w.mutable_##message()->set_##field(v); }, min, max}
  expect(RequestVote{2, Term(7), BranchId(2), LogIndex(11), Term(6), true, true},
         {BANK_FIELD(request_vote, version, 0, 255), BANK_FIELD(request_vote, term, 6, kTermMax),
          BANK_FIELD(request_vote, candidate, 2, 2),
          BANK_FIELD(request_vote, last_log_index, 0, kLogIndexMax),
          BANK_FIELD(request_vote, last_log_term, 0, 7)});
  expect(RequestVote{2, Term(1), BranchId(2), LogIndex(0), Term(0), true, true},
         {BANK_FIELD(request_vote, term, 1, kTermMax)});
  expect(RequestVoteResult{2, Term(7), true, true, 3, 4},
         {BANK_FIELD(request_vote_result, version, 0, 255),
          BANK_FIELD(request_vote_result, term, 0, kTermMax),
          BANK_FIELD(request_vote_result, features, 0, 65535),
          BANK_FIELD(request_vote_result, capacity, 0, 65535)});
  expect(
      AppendEntries{1, Term(9), LogIndex(20), Term(8), LogIndex(19), {}},
      {BANK_FIELD(append_entries, version, 0, 255), BANK_FIELD(append_entries, term, 8, kTermMax),
       BANK_FIELD(append_entries, prev_log_index, 0, kLogIndexMax),
       BANK_FIELD(append_entries, prev_log_term, 0, 9),
       BANK_FIELD(append_entries, leader_commit, 0, kLogIndexMax)});
  expect(AppendEntries{1, Term(1), LogIndex(0), Term(0), LogIndex(0), {}},
         {BANK_FIELD(append_entries, term, 1, kTermMax)});
  expect(AppendEntriesResult{1, Term(9), LogIndex(20), LogIndex(15), 1, 2},
         {BANK_FIELD(append_entries_result, version, 0, 255),
          BANK_FIELD(append_entries_result, term, 0, kTermMax),
          BANK_FIELD(append_entries_result, last_log_index, 0, kLogIndexMax),
          BANK_FIELD(append_entries_result, features, 0, 65535),
          BANK_FIELD(append_entries_result, capacity, 0, 65535),
          BANK_FIELD(append_entries_result, life, 0, kNonceMax)});
  expect(TimeoutNow{1, Term(4), LogIndex(3), Term(4)},
         {BANK_FIELD(timeout_now, version, 0, 255), BANK_FIELD(timeout_now, term, 4, kTermMax),
          BANK_FIELD(timeout_now, last_log_index, 0, kLogIndexMax),
          BANK_FIELD(timeout_now, last_log_term, 0, 4)});
  expect(ReadProbe{Term(5), 6}, {BANK_FIELD(read_probe, term, 1, kTermMax),
                                 BANK_FIELD(read_probe, round, 0, kReadRoundMax)});
  expect(ReadProbeResult{Term(5), 6}, {BANK_FIELD(read_probe_result, term, 0, kTermMax),
                                       BANK_FIELD(read_probe_result, round, 0, kReadRoundMax)});
  expect(LostLog{Term(5), LogIndex(6)}, {BANK_FIELD(lost_log, term, 1, kTermMax),
                                         BANK_FIELD(lost_log, last_log_index, 0, kLogIndexMax)});
  expect(LogBehindAcknowledged{Term(5), LogIndex(6)},
         {BANK_FIELD(log_behind_acknowledged, term, 1, kTermMax),
          BANK_FIELD(log_behind_acknowledged, acknowledged, 1, kLogIndexMax)});
  expect(Challenge{Term(5), 6},
         {BANK_FIELD(challenge, term, 0, kTermMax), BANK_FIELD(challenge, nonce, 1, kNonceMax)});
  expect(ChallengeResult{Term(5), 6, LogIndex(7), LogIndex(8), true, true, 9},
         {BANK_FIELD(challenge_result, term, 0, kTermMax),
          BANK_FIELD(challenge_result, nonce, 1, kNonceMax),
          BANK_FIELD(challenge_result, acknowledged, 0, kLogIndexMax),
          BANK_FIELD(challenge_result, no_member_since, 0, kLogIndexMax),
          BANK_FIELD(challenge_result, life, 1, kNonceMax)});
  expect(NoMember{Term(5), LogIndex(6)},
         {BANK_FIELD(no_member, term, 0, kTermMax),
          BANK_FIELD(no_member, configuration_index, 1, kLogIndexMax)});
#undef BANK_FIELD
  const auto rejected = [&](uint64_t value) {
    return check(ToWire(AppendEntriesResult{1, Term(9), LogIndex(value), LogIndex(15), 1, 2})).ok();
  };
  EXPECT_TRUE(rejected(kLogIndexMax));
  EXPECT_FALSE(rejected(kLogIndexMax + 1));
  EXPECT_FALSE(rejected(UINT64_MAX - 1));
  EXPECT_TRUE(rejected(AppendEntriesResult::kOfOlderTerm.value));
}

TEST(Convert, NumbersOfASnapshotOutOfTheirRangeAreRefused) {
  using Wire = v1::SnapshotHead;
  const auto check = [](Wire head) { return FromWire(std::move(head), "the state"); };
#define BANK_FIELD(field, min, max)                                  \
  {                                                                  \
#field, [](Wire & w, uint64_t v) { w.set_##field(v); }, min, max \
  }
  const uint32_t sum = Crc32c("the state");
  Field<Wire> last_index = BANK_FIELD(last_index, 50, kLogIndexMax);
  last_index.bound = "configuration_index";
  ExpectRanges<Wire>(ToWire(MakeInstall()),
                     {BANK_FIELD(version, 0, 255), BANK_FIELD(term, 3, kTermMax), last_index,
                      BANK_FIELD(last_term, 1, 4), BANK_FIELD(configuration_index, 1, 100),
                      BANK_FIELD(size_bytes, 9, 9), BANK_FIELD(crc32c, sum, sum)},
                     check);
#undef BANK_FIELD
  v1::SnapshotHead head = ToWire(MakeInstall());
  head.set_term(0);
  head.set_last_term(0);
  EXPECT_FALSE(check(head).ok());
  head = ToWire(MakeInstall());
  head.clear_configuration();
  EXPECT_FALSE(check(head).ok());
  head.set_configuration(std::string((1 << 20) + 1, 'x'));
  EXPECT_FALSE(check(head).ok());
}

// What is taken into the log is applied one day, on every branch.
TEST(Convert, EntriesThatAreNoneAreRefused) {
  const std::string command = MakeCommands(2);
  std::string more_than_told = command;
  more_than_told.push_back('\1');
  std::string other_version = command;
  other_version[0] = 3;
  std::string more_commands =
      ledger::EncodeEntry({5, 3}, std::string_view(MakeCommands(2)).substr(10));
  struct Row {
    const char* what;
    uint64_t term;
    uint32_t type;
    std::string payload;
    bool good;
  };
  const std::vector<Row> rows = {
      {"commands", 9, 1, command, true},
      {"no command", 9, 1, MakeCommands(0), true},
      {"the last moment of the bank", 9, 1, MakeCommands(1, kBankTimeMsMax), true},
      {"after that", 9, 1, MakeCommands(1, kBankTimeMsMax + 1), false},
      {"before its first", 9, 1, MakeCommands(1, -1), false},
      {"nothing", 9, 1, "", false},
      {"text", 9, 1, "payload", false},
      {"cut short", 9, 1, command.substr(0, command.size() - 1), false},
      {"longer", 9, 1, more_than_told, false},
      {"fewer than it says", 9, 1, more_commands, false},
      {"another version", 9, 1, other_version, false},
      {"a barrier", 9, 2, "", true},
      {"a barrier that says something", 9, 2, "x", false},
      {"a change", 9, 3, "membership", true},
      {"a change to nothing", 9, 3, "", false},
      {"a change of a mebibyte and more", 9, 3, std::string((1 << 20) + 1, 'x'), false},
      {"type 0", 9, 0, "", false},
      {"type 4", 9, 4, "", false},
      {"the term before", 8, 2, "", true},
      {"a term below the one before it", 7, 2, "", false},
      {"a term above the leader's", 10, 2, "", false},
  };
  for (const Row& row : rows) {
    v1::PeerMessage wire =
        ToWire(AppendEntries{1, Term(9), LogIndex(20), Term(8), LogIndex(19), {}});
    v1::Entry* const entry = wire.mutable_append_entries()->add_entries();
    entry->set_term(row.term);
    entry->set_type(row.type);
    entry->set_payload(row.payload);
    EXPECT_EQ(FromWire(BranchId(2), wire).ok(), row.good) << row.what;
  }
  // Their number, and the index of the last one.
  for (const auto& [count, prev, good] : {std::tuple(kMessageEntriesMax, uint64_t{20}, true),
                                          std::tuple(kMessageEntriesMax + 1, uint64_t{20}, false),
                                          std::tuple(size_t{2}, kLogIndexMax - 2, true),
                                          std::tuple(size_t{2}, kLogIndexMax - 1, false)}) {
    AppendEntries append{1, Term(9), LogIndex(prev), Term(8), LogIndex(19), {}};
    append.entries.assign(count, MakeEntry(9, storage::EntryType::kBarrier, ""));
    EXPECT_EQ(FromWire(BranchId(2), ToWire(append)).ok(), good) << count << " after " << prev;
  }
  AppendEntries falling{1, Term(9), LogIndex(20), Term(7), LogIndex(19), {}};
  falling.entries = {MakeEntry(9, storage::EntryType::kBarrier, ""),
                     MakeEntry(8, storage::EntryType::kBarrier, "")};
  EXPECT_FALSE(FromWire(BranchId(2), ToWire(falling)).ok());
}

TEST(Convert, WhatIsNoMessageIsRefused) {
  v1::PeerMessage message;
  EXPECT_FALSE(FromWire(BranchId(2), message).ok());
  message.mutable_hello()->set_branch(2);
  EXPECT_FALSE(FromWire(BranchId(2), message).ok());
}

TEST(Convert, ForwardRequests) {
  auto back = FromWire(ToWire(ForwardRequest{"bytes", 2, true, 5000}));
  ASSERT_TRUE(back.ok());
  EXPECT_EQ(back->batch, "bytes");
  EXPECT_EQ(back->count, 2u);
  EXPECT_TRUE(back->read_index);
  EXPECT_EQ(back->timeout_ms, 5000);

  EXPECT_FALSE(FromWire(ToWire(ForwardRequest{"", 0, false, 5000})).ok());
  EXPECT_FALSE(FromWire(ToWire(ForwardRequest{"", 1, true, 5000})).ok());
  EXPECT_FALSE(FromWire(ToWire(ForwardRequest{"x", 0, true, 5000})).ok());
  EXPECT_FALSE(FromWire(ToWire(ForwardRequest{"x", 2, false, 5000})).ok());
  EXPECT_FALSE(FromWire(ToWire(ForwardRequest{"x", 1, false, 0})).ok());
  EXPECT_FALSE(FromWire(ToWire(ForwardRequest{"x", 1, false, -1})).ok());
  EXPECT_TRUE(FromWire(ToWire(ForwardRequest{"x", 1, false, INT64_MAX / 1'000'000})).ok());
  EXPECT_FALSE(FromWire(ToWire(ForwardRequest{"x", 1, false, INT64_MAX / 1'000'000 + 1})).ok());
  EXPECT_FALSE(
      FromWire(ToWire(ForwardRequest{std::string((64 << 20) + 1, 'x'), 1, false, 1})).ok());
}

TEST(Convert, ForwardReplies) {
  ForwardResult result;
  result.fate = Fate::kApplied;
  result.outcomes = {{ledger::Code::kOk, false, Position(7), 100},
                     {ledger::Code::kInsufficientFunds, true, Position(8), 40}};
  result.read_index = LogIndex(9);
  result.leader = BranchId(3);
  auto back = FromWire(ToWire(result), 2);
  ASSERT_TRUE(back.ok());
  EXPECT_EQ(back->fate, Fate::kApplied);
  EXPECT_EQ(back->outcomes, result.outcomes);
  EXPECT_EQ(back->read_index, LogIndex(9));
  EXPECT_EQ(back->leader, BranchId(3));
  EXPECT_FALSE(FromWire(ToWire(result), 1).ok());
  EXPECT_FALSE(FromWire(ToWire(result), 3).ok());

  auto unknown = FromWire(ToWire(ForwardResult{Fate::kUnknown, {}, "why", {}, {}}), 2);
  ASSERT_TRUE(unknown.ok());
  EXPECT_EQ(unknown->fate, Fate::kUnknown);
  EXPECT_EQ(unknown->reason, "why");
  EXPECT_TRUE(unknown->outcomes.empty());

  ForwardResult far = result;
  far.read_index = LogIndex(kLogIndexMax);
  EXPECT_TRUE(FromWire(ToWire(far), 2).ok());
  far.read_index = far.read_index.Next();
  EXPECT_FALSE(FromWire(ToWire(far), 2).ok());
  EXPECT_TRUE(FromWire(ToWire({Fate::kUnknown, {}, std::string(4096, 'x'), {}, {}}), 2).ok());
  EXPECT_FALSE(FromWire(ToWire({Fate::kUnknown, {}, std::string(4097, 'x'), {}, {}}), 2).ok());

  v1::ForwardReply strange;
  strange.set_fate(static_cast<v1::ForwardReply::Fate>(9));
  EXPECT_FALSE(FromWire(std::move(strange), 0).ok());
}

}  // namespace
}  // namespace bank::peers
