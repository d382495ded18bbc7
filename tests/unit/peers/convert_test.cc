// Goal: what one branch says arrives as it was said, and nothing malformed gets past the edge.
// Method: every kind of message there and back through real bytes; then a table of bad fields; then
// random bytes, which must be refused or accepted but never crash.
#include "branch/peers/convert.h"

#include <gtest/gtest.h>

#include <functional>
#include <random>

#include "common/crc32c.h"

namespace bank::peers {
namespace {

using namespace replication;

storage::Entry MakeEntry(uint64_t term, storage::EntryType type, std::string payload) {
  return {Term(term), type, std::make_shared<const std::string>(std::move(payload))};
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
  append.entries.push_back(MakeEntry(9, storage::EntryType::kCommand, std::string("a\0b", 3)));
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
      ThereAndBack(AppendEntriesResult{1, Term(9), LogIndex(20), LogIndex(15), 1, 2}));
  EXPECT_EQ(result.rejected, LogIndex(20));
  EXPECT_EQ(result.last_log_index, LogIndex(15));
  EXPECT_EQ(result.features, 1);
  EXPECT_EQ(result.capacity, 2);
}

TEST(Convert, SmallMessagesKeepEveryField) {
  auto timeout = std::get<TimeoutNow>(ThereAndBack(TimeoutNow{1, Term(2), LogIndex(3), Term(4)}));
  EXPECT_EQ(timeout.term, Term(2));
  EXPECT_EQ(timeout.last_log_index, LogIndex(3));
  EXPECT_EQ(timeout.last_log_term, Term(4));
  auto probe = std::get<ReadProbe>(ThereAndBack(ReadProbe{Term(5), 6}));
  EXPECT_EQ(probe.term, Term(5));
  EXPECT_EQ(probe.round, 6u);
  auto answer = std::get<ReadProbeResult>(ThereAndBack(ReadProbeResult{Term(5), 6}));
  EXPECT_EQ(answer.term, Term(5));
  EXPECT_EQ(answer.round, 6u);
  for (const int set : {0, 1, 2}) {
    const auto introduction = std::get<Introduction>(ThereAndBack(
        Introduction{.term = Term(5), .holds = set == 0, .lost = set == 1, .asks = set == 2}));
    EXPECT_EQ(introduction.term, Term(5));
    EXPECT_EQ(introduction.holds, set == 0);
    EXPECT_EQ(introduction.lost, set == 1);
    EXPECT_EQ(introduction.asks, set == 2);
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

TEST(Convert, BadSnapshotHeadsAreRefused) {
  const std::vector<std::function<void(v1::SnapshotHead&)>> spoilers = {
      [](auto& h) { h.set_last_index(0); },
      [](auto& h) { h.set_last_term(0); },
      [](auto& h) { h.set_last_term(h.term() + 1); },
      [](auto& h) { h.set_configuration_index(0); },
      [](auto& h) { h.set_configuration_index(h.last_index() + 1); },
      [](auto& h) { h.clear_configuration(); },
      [](auto& h) { h.set_version(256); },
      [](auto& h) { h.set_crc32c(h.crc32c() + 1); },
  };
  for (size_t i = 0; i < spoilers.size(); ++i) {
    v1::SnapshotHead head = ToWire(MakeInstall());
    spoilers[i](head);
    EXPECT_FALSE(FromWire(std::move(head), "the state").ok()) << "row " << i;
  }
}

TEST(Convert, BadMessagesAreRefused) {
  const std::vector<std::function<void(v1::PeerMessage&)>> spoilers = {
      [](auto&) {},
      [](auto& m) { m.mutable_hello()->set_branch(2); },
      [](auto& m) { m.mutable_request_vote()->set_candidate(3); },
      [](auto& m) {
        m.mutable_request_vote()->set_candidate(2);
        m.mutable_request_vote()->set_version(256);
      },
      [](auto& m) { m.mutable_request_vote_result()->set_features(65536); },
      [](auto& m) { m.mutable_append_entries_result()->set_capacity(65536); },
      [](auto& m) { m.mutable_append_entries()->set_prev_log_index(UINT64_MAX); },
      [](auto& m) {
        m.mutable_append_entries()->set_term(1);
        m.mutable_append_entries()->add_entries()->set_type(1);  // term 0
      },
      [](auto& m) {
        m.mutable_append_entries()->set_term(1);
        auto* entry = m.mutable_append_entries()->add_entries();
        entry->set_term(1);
        entry->set_type(4);
      },
      [](auto& m) {
        m.mutable_append_entries()->set_term(1);
        auto* entry = m.mutable_append_entries()->add_entries();
        entry->set_term(2);
        entry->set_type(1);
      },
  };
  for (size_t i = 0; i < spoilers.size(); ++i) {
    v1::PeerMessage message;
    spoilers[i](message);
    EXPECT_FALSE(FromWire(BranchId(2), std::move(message)).ok()) << "row " << i;
  }
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

  v1::ForwardReply strange;
  strange.set_fate(static_cast<v1::ForwardReply::Fate>(9));
  EXPECT_FALSE(FromWire(std::move(strange), 0).ok());
}

TEST(Convert, RandomBytesNeverCrash) {
  std::mt19937 random(20261121);
  AppendEntries append{1, Term(9), LogIndex(20), Term(8), LogIndex(19), {}};
  append.entries.push_back(MakeEntry(9, storage::EntryType::kCommand, "payload"));
  const std::string good = ToWire(append).SerializeAsString();
  for (int i = 0; i < 20'000; ++i) {
    std::string bytes = good;
    for (int flips = 1 + static_cast<int>(random() % 4); flips > 0; --flips) {
      bytes[random() % bytes.size()] = static_cast<char>(random());
    }
    v1::PeerMessage message;
    if (message.ParseFromString(bytes)) (void)FromWire(BranchId(2), std::move(message));
    v1::ForwardRequest request;
    if (request.ParseFromString(bytes)) (void)FromWire(std::move(request));
    v1::ForwardReply reply;
    if (reply.ParseFromString(bytes)) (void)FromWire(std::move(reply), random() % 3);
    v1::SnapshotHead head;
    if (head.ParseFromString(bytes)) (void)FromWire(std::move(head), "state");
  }
}

}  // namespace
}  // namespace bank::peers
