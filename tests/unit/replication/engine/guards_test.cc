// Goal: every guard of core.c keeps its fault of libraft away. Method: one core whose other servers
// are played by the test; where the fault is harmless enough to look at, the same steps are taken
// again with the guard off. docs/ENGINE.md has the list.
#include <gtest/gtest.h>

#include <cstdlib>
#include <cstring>

#include "tests/support/core_unit.h"

namespace bank::replication {
namespace {

const std::string kThree = Voters({1, 2, 3});

TestEntry Bootstrap(const std::string& configuration) { return {1, CORE_CHANGE, configuration}; }
TestEntry Command(uint64_t term) { return {term, CORE_COMMAND, "x"}; }

TEST(Guard1, SoleVoterRaisesTermAtStart) {
  CoreUnit guarded;
  guarded.Begin(5, {Bootstrap(Voters({1}))});
  EXPECT_EQ(core_state_of(guarded.get()), CORE_LEADER);
  EXPECT_EQ(core_term(guarded.get()), 6u);
  ASSERT_FALSE(guarded.hard_states.empty());
  EXPECT_EQ(guarded.hard_states[0].first, 6u);

  CoreUnit bare(CORE_GUARD(1));
  bare.Begin(5, {Bootstrap(Voters({1}))});
  EXPECT_EQ(core_state_of(bare.get()), CORE_LEADER);
  EXPECT_EQ(core_term(bare.get()), 5u);
}

TEST(Guard1, OthersKeepTheirTerm) {
  CoreUnit one_of_three;
  one_of_three.Begin(5, {Bootstrap(kThree)});
  EXPECT_EQ(core_term(one_of_three.get()), 5u);
  CoreUnit standby;
  standby.Begin(5, {Bootstrap(TestConfiguration({{1, CORE_STANDBY}, {2, CORE_VOTER}}))});
  EXPECT_EQ(core_term(standby.get()), 5u);
}

uint64_t PendingAfterChangeInsideABatch(uint32_t guards_off) {
  CoreUnit unit(guards_off);
  unit.Begin(1, {Bootstrap(kThree)});
  unit.Append(2, 1, 1, 1, 1, {Command(1), Command(1), {1, CORE_CHANGE, Voters({1, 2, 3, 4})}});
  unit.StoreAll();
  return core_pending_change(unit.get());
}
TEST(Guard2, ChangeInsideABatchGetsItsOwnIndex) {
  EXPECT_EQ(PendingAfterChangeInsideABatch(0), 4u);
  EXPECT_NE(PendingAfterChangeInsideABatch(CORE_GUARD(2)), 4u);
}

TEST(Guard2, EachPartContinuesTheTermOfTheOneBefore) {
  CoreUnit unit;
  unit.Begin(1, {Bootstrap(kThree)});
  unit.Append(2, 2, 1, 1, 1, {Command(1), {2, CORE_CHANGE, Voters({1, 2, 3, 4})}});
  EXPECT_EQ(core_last_index(unit.get()), 3u);
  EXPECT_EQ(core_pending_change(unit.get()), 3u);
}

// Two changes come before the first is known to be committed; the second is then replaced.
size_t ServersAfterRollback(uint32_t guards_off) {
  CoreUnit unit(guards_off);
  unit.Begin(1, {Bootstrap(kThree)});
  unit.Append(2, 1, 1, 1, 1, {{1, CORE_CHANGE, Voters({1, 2, 3, 4})}});
  unit.StoreAll();
  unit.Append(2, 1, 2, 1, 1, {{1, CORE_CHANGE, Voters({1, 2, 3, 4, 5})}});
  unit.StoreAll();
  EXPECT_EQ(core_server_count(unit.get()), 5u);
  unit.Append(3, 2, 2, 1, 1, {Command(2)});
  return core_server_count(unit.get());
}
TEST(Guard3, SecondPendingChangeCommitsTheFirst) {
  EXPECT_EQ(ServersAfterRollback(0), 4u);
  EXPECT_NE(ServersAfterRollback(CORE_GUARD(3)), 4u);
}

// At its own place the pending one is replaced, not confirmed.
TEST(Guard3, AChangeInThePlaceOfAPendingOneDoesNotCommitThat) {
  CoreUnit unit;
  unit.Begin(1, {Bootstrap(kThree)});
  unit.Append(2, 1, 1, 1, 1, {{1, CORE_CHANGE, Voters({1, 2, 3, 4})}});
  unit.StoreAll();
  unit.Append(3, 2, 1, 1, 1, {{2, CORE_CHANGE, Voters({1, 2, 3, 5})}});
  unit.StoreAll();
  EXPECT_EQ(core_committed_configuration_index(unit.get()), 1u);
  EXPECT_EQ(core_pending_change(unit.get()), 2u);
  EXPECT_EQ(core_server_at(unit.get(), 3).id, 5u);
}

core_message AnswerToStaleAppend(uint32_t guards_off) {
  CoreUnit unit(guards_off);
  unit.Begin(3, {Bootstrap(kThree)});
  unit.Append(2, 2, 0, 0, 0, {});
  EXPECT_EQ(unit.sent.size(), 1u);
  return unit.sent.at(0);
}
TEST(Guard4, AnswerToAnOlderTermIsNoSuccess) {
  EXPECT_EQ(AnswerToStaleAppend(0).append_entries_result.rejected, UINT64_MAX);
  EXPECT_EQ(AnswerToStaleAppend(0).append_entries_result.last_log_index, 0u);
  EXPECT_EQ(AnswerToStaleAppend(CORE_GUARD(4)).append_entries_result.rejected, 0u);
}

TEST(Guard4, AnswersOfThisTermAreLeftAlone) {
  CoreUnit unit;
  unit.Begin(3, {Bootstrap(kThree)});
  unit.Append(2, 3, 1, 1, 1, {});
  ASSERT_EQ(unit.sent.size(), 1u);
  EXPECT_EQ(unit.sent[0].append_entries_result.rejected, 0u);
  EXPECT_EQ(unit.sent[0].append_entries_result.last_log_index, 1u);
}

uint64_t LastAfterEntriesFromTheBeginning(uint32_t guards_off) {
  const core_snapshot snapshot{10, 1, 1, kThree.data(), kThree.size()};
  CoreUnit unit(guards_off);
  EXPECT_EQ(unit.Begin(1, {Command(1)}, &snapshot), CORE_OK);
  unit.Append(2, 1, 0, 0, 1, {Bootstrap(kThree), Command(1)});
  return core_last_index(unit.get());
}
TEST(Guard5, EntriesFromTheBeginningAtACompactedLog) {
  EXPECT_EQ(LastAfterEntriesFromTheBeginning(0), 11u);
  // 1 and 2 become 12 and 13, or the engine stops: it reads behind the entries of the message.
  EXPECT_EXIT(
      std::exit(LastAfterEntriesFromTheBeginning(CORE_GUARD(5)) == 11 ? 0 : 1),
      [](int status) { return status != 0; }, "");
}

core_status ChangeWithAVoterBehind(uint32_t guards_off) {
  CoreUnit unit(guards_off);
  unit.Begin(1, {Bootstrap(kThree)});
  unit.Lead({2});
  unit.AppendResult(2, core_term(unit.get()), 0, unit.last());  // 3 has never answered
  return unit.Change(
      TestConfiguration({{1, CORE_VOTER}, {2, CORE_VOTER}, {3, CORE_VOTER}, {4, CORE_STANDBY}}));
}
TEST(Guard6, ChangeWaitsForEveryVoter) {
  EXPECT_EQ(ChangeWithAVoterBehind(0), CORE_NOT_YET);
  EXPECT_EQ(ChangeWithAVoterBehind(CORE_GUARD(6)), CORE_OK);
}

// Server 2 acknowledged up to the end, then fell silent, and a late rejection arrives.
size_t EntriesSentAfterLateRejection(uint32_t guards_off) {
  CoreUnit unit(guards_off);
  unit.Begin(1, {Bootstrap(kThree)});
  unit.Lead({2});
  const uint64_t term = core_term(unit.get());
  unit.Submit({Command(term), Command(term), Command(term)});
  unit.StoreAll();
  unit.AppendResult(2, term, 0, unit.last());
  for (int i = 0; i < 12; ++i) {  // nobody answers: 2 goes from pipeline to probe
    unit.now_ms = std::max(unit.now_ms + 1, core_deadline_ms(unit.get()));
    core_timeout(unit.get(), unit.now_ms);
    unit.AppendResult(3, term, 0, 1);
  }
  EXPECT_EQ(core_state_of(unit.get()), CORE_LEADER);
  unit.AppendResult(2, term, unit.last(), unit.last() - 3);
  unit.Submit({Command(term)});
  unit.sent.clear();
  unit.now_ms += 200;
  core_timeout(unit.get(), unit.now_ms);
  for (const core_message& message : unit.sent) {
    if (message.peer == 2 && message.type == CORE_APPEND_ENTRIES) {
      return message.append_entries.n_entries;
    }
  }
  return 0;
}
TEST(Guard7, LateRejectionDoesNotStarveAFollower) {
  EXPECT_GT(EntriesSentAfterLateRejection(0), 0u);
  EXPECT_EQ(EntriesSentAfterLateRejection(CORE_GUARD(7)), 0u);
}

uint64_t PauseAfterTimeout(uint32_t guards_off) {
  CoreUnit unit(guards_off);
  unit.Begin(1, {Bootstrap(kThree)});
  const uint64_t early = core_deadline_ms(unit.get()) - 1;
  core_timeout(unit.get(), early);
  return core_deadline_ms(unit.get()) - early;
}
TEST(Guard8, TimeoutsAreAtLeastAQuarterHeartbeatApart) {
  EXPECT_EQ(PauseAfterTimeout(0), 25u);
  EXPECT_EQ(PauseAfterTimeout(CORE_GUARD(8)), 1u);
}

TEST(Guard8, NoServerBecomesASpare) {
  CoreUnit unit;
  unit.Begin(1, {Bootstrap(kThree)});
  unit.Lead({2});
  constexpr int kSpare = 2;
  EXPECT_EQ(unit.Change(TestConfiguration(
                {{1, CORE_VOTER}, {2, CORE_VOTER}, {3, CORE_VOTER}, {4, kSpare}})),
            CORE_MALFORMED);
}

// A spare that never answers: after its catch-up was given up.
uint64_t TimersOfALeaderWithASpare(uint32_t guards_off) {
  constexpr int kSpare = 2;
  CoreUnit unit(guards_off);
  unit.Begin(1, {Bootstrap(TestConfiguration(
                    {{1, CORE_VOTER}, {2, CORE_VOTER}, {3, CORE_VOTER}, {4, kSpare}}))});
  unit.Lead({2, 3});
  const uint64_t term = core_term(unit.get());
  core_catch_up(unit.get(), unit.now_ms, 4);
  uint64_t timers = 0;
  for (const uint64_t end = unit.now_ms + 20'000; unit.now_ms < end; ++timers) {
    unit.now_ms = std::max(unit.now_ms + 1, core_deadline_ms(unit.get()));
    core_timeout(unit.get(), unit.now_ms);
    unit.AppendResult(2, term, 0, unit.last());
    unit.AppendResult(3, term, 0, unit.last());
  }
  EXPECT_EQ(core_state_of(unit.get()), CORE_LEADER);
  return timers;
}
TEST(Guard8, TheTimerDoesNotLieInThePastForEver) {
  // The roles are checked by 19 and 10 too.
  const uint32_t spares = CORE_GUARD(10) | CORE_GUARD(19);
  EXPECT_LT(TimersOfALeaderWithASpare(spares), 1'000u);
  EXPECT_GT(TimersOfALeaderWithASpare(spares | CORE_GUARD(8)), 10'000u);
}

core_message InstallMessage(uint64_t index) {
  core_message message{};
  message.type = CORE_INSTALL_SNAPSHOT;
  message.peer = 2;
  message.term = 2;
  message.install_snapshot = {index, 2, 1, kThree.data(), kThree.size()};
  return message;
}
TEST(Guard9, SecondInstallDuringAnInstallIsDropped) {
  CoreUnit unit;  // the address sanitizer sees the leak if the guard is taken out
  unit.Begin(2, {Bootstrap(kThree)});
  unit.Receive(InstallMessage(10));
  EXPECT_TRUE(core_installing(unit.get()));
  unit.Receive(InstallMessage(20));
  EXPECT_EQ(unit.snapshots, 1);
  const core_snapshot snapshot{10, 2, 1, kThree.data(), kThree.size()};
  core_snapshot_installed(unit.get(), unit.now_ms, &snapshot);
  EXPECT_FALSE(core_installing(unit.get()));
  EXPECT_EQ(core_last_index(unit.get()), 10u);
}

#if !defined(__SANITIZE_ADDRESS__)  // which would report the leak
size_t BlocksKeptAfterSecondInstalls(uint32_t guards_off) {
  core_count_memory();
  const size_t before = core_memory_blocks();
  {
    CoreUnit unit(guards_off);
    unit.Begin(2, {Bootstrap(kThree)});
    for (uint64_t index = 10; index < 110; ++index) unit.Receive(InstallMessage(index));
  }
  return core_memory_blocks() - before;
}
TEST(Guard9, SecondInstallsAreNotKeptInMemory) {
  EXPECT_EQ(BlocksKeptAfterSecondInstalls(0), 0u);
  EXPECT_GE(BlocksKeptAfterSecondInstalls(CORE_GUARD(9)), 99u);
}
#endif

const std::string kThreeAndStandby =
    TestConfiguration({{1, CORE_VOTER}, {2, CORE_VOTER}, {3, CORE_VOTER}, {4, CORE_STANDBY}});

TEST(Guard10, CatchUpIsRefusedWhereTheEngineWouldFail) {
  CoreUnit unit;
  unit.Begin(1, {Bootstrap(kThreeAndStandby)});
  EXPECT_EQ(core_catch_up(unit.get(), unit.now_ms, 4), CORE_NOT_LEADER);
  unit.Lead({2, 3});
  EXPECT_EQ(core_catch_up(unit.get(), unit.now_ms, 9), CORE_UNKNOWN_ID);
  EXPECT_EQ(core_catch_up(unit.get(), unit.now_ms, 2), CORE_UNKNOWN_ID);
  EXPECT_EQ(core_catch_up(unit.get(), unit.now_ms, 4), CORE_OK);
  EXPECT_EQ(core_catch_up(unit.get(), unit.now_ms, 4), CORE_BUSY);
}

TEST(Guard10DeathTest, WithoutItAnUnknownServerIsAMemoryError) {
  CoreUnit unit(CORE_GUARD(10) | CORE_GUARD(11));
  unit.Begin(1, {Bootstrap(kThreeAndStandby)});
  unit.Lead({2, 3});
  EXPECT_DEATH(core_catch_up(unit.get(), unit.now_ms, 9), "");
}

TEST(Guard10, OneCatchUpAtATime) {
  CoreUnit unit;
  unit.Begin(1, {Bootstrap(TestConfiguration({{1, CORE_VOTER},
                                              {2, CORE_VOTER},
                                              {3, CORE_VOTER},
                                              {4, CORE_STANDBY},
                                              {5, CORE_STANDBY}}))});
  unit.Lead({2, 3});
  EXPECT_EQ(core_catch_up(unit.get(), unit.now_ms, 4), CORE_OK);
  EXPECT_EQ(core_catch_up_state_of(unit.get(), 4), CORE_CATCH_UP_RUNNING);
  EXPECT_EQ(core_catch_up(unit.get(), unit.now_ms, 5), CORE_BUSY);
}

core_status CatchUpOfAnIdleServer(uint32_t guards_off) {
  CoreUnit unit(guards_off);
  unit.Begin(1, {Bootstrap(kThreeAndStandby)});
  unit.Lead({2, 3});
  unit.AppendResult(4, core_term(unit.get()), 0, unit.last());
  return core_catch_up(unit.get(), unit.now_ms, 4);
}
TEST(Guard11, CatchUpOfAnIdleServerThatHasEverything) {
  EXPECT_EQ(CatchUpOfAnIdleServer(0), CORE_UP_TO_DATE);
  EXPECT_EQ(CatchUpOfAnIdleServer(CORE_GUARD(11)), CORE_OK);
}

core_status TransferToALaggard(uint32_t guards_off) {
  CoreUnit unit(guards_off);
  unit.Begin(1, {Bootstrap(kThree)});
  unit.Lead({2, 3});
  const uint64_t term = core_term(unit.get());
  unit.AppendResult(2, term, 0, unit.last());
  unit.Submit({Command(term)});
  return core_transfer(unit.get(), unit.now_ms, 2);
}
TEST(Guard12, TransferWaitsForTheWholeLog) {
  EXPECT_EQ(TransferToALaggard(0), CORE_NOT_YET);
  EXPECT_EQ(TransferToALaggard(CORE_GUARD(12)), CORE_OK);
}

TEST(Guard12, WithoutItALaggardIsToldToCampaign) {
  CoreUnit unit(CORE_GUARD(12));
  unit.Begin(1, {Bootstrap(kThree)});
  unit.Lead({2, 3});
  const uint64_t term = core_term(unit.get());
  unit.AppendResult(2, term, 0, unit.last());
  unit.Submit({Command(term), Command(term)});
  EXPECT_EQ(core_transfer(unit.get(), unit.now_ms, 2), CORE_OK);
  unit.sent.clear();
  unit.AppendResult(2, term, 0, unit.last() - 1);
  EXPECT_TRUE(std::any_of(unit.sent.begin(), unit.sent.end(), [](const core_message& message) {
    return message.type == CORE_TIMEOUT_NOW;
  })) << "it lacks an entry, and ignores that";
}

uint64_t TermInARefusedPreVote(uint32_t guards_off) {
  CoreUnit unit(guards_off);
  unit.Begin(7, {Bootstrap(kThree), Command(2)});
  core_message request{};
  request.type = CORE_REQUEST_VOTE;
  request.peer = 2;
  request.version = 2;
  request.term = 3;
  request.request_vote = {2, 9, 2, false, true};
  unit.Receive(request);
  EXPECT_EQ(unit.sent.size(), 1u);
  EXPECT_FALSE(unit.sent.at(0).request_vote_result.vote_granted);
  return unit.sent.at(0).term;
}
TEST(Guard16, RefusedPreVoteTellsTheVotersTerm) {
  EXPECT_EQ(TermInARefusedPreVote(0), 7u);
  EXPECT_EQ(TermInARefusedPreVote(CORE_GUARD(16)), 3u);
}

TEST(Guard17, TrailingEntriesMustExceedTheInflightLimit) {
  core_options options{1, 7, 1000, 100, 3000, 16, 16, 0};
  const core_ports ports{};
  EXPECT_EQ(core_create(&options, &ports), nullptr);
  options.trailing_entries = 17;
  core* core = core_create(&options, &ports);
  EXPECT_NE(core, nullptr);
  core_destroy(core);
}

uint64_t CommitAfterAnEarlierMessage(uint32_t guards_off, uint64_t end) {
  CoreUnit unit(guards_off);
  unit.Begin(1, {Bootstrap(kThree), Command(1), Command(1), Command(1), Command(1)});
  unit.Append(2, 1, 5, 1, 5, {});
  EXPECT_EQ(core_commit_index(unit.get()), 5u);
  unit.Append(2, 1, end - 1, 1, 6, {Command(1)});
  return core_commit_index(unit.get());
}
TEST(Guard18, CommitIndexNeverGoesBack) {
  for (const uint64_t end : {2, 3, 4, 5}) {
    EXPECT_EQ(CommitAfterAnEarlierMessage(0, end), 5u);
    EXPECT_EQ(CommitAfterAnEarlierMessage(CORE_GUARD(18), end), end);
  }
}

TEST(Guard19, MadeUpConfigurationsAreRefused) {
  EXPECT_TRUE(core_configuration_valid(kThree.data(), kThree.size()));
  for (size_t size = 0; size < kThree.size(); ++size) {
    const std::string cut = kThree.substr(0, size);
    EXPECT_FALSE(core_configuration_valid(cut.data(), cut.size())) << size;
  }
  for (size_t i = 1; i < 9; ++i) {  // the number of servers
    std::string mad = kThree;
    mad[i] = static_cast<char>(0x7f);
    EXPECT_FALSE(core_configuration_valid(mad.data(), mad.size())) << i;
  }
  const std::string longer = kThree + std::string(8, '\0');
  EXPECT_FALSE(core_configuration_valid(longer.data(), longer.size()));
}

// Bytes that say more servers than they hold: the rest is read from what lies behind them.
core_status BeginWithAConfigurationCutShort(uint32_t guards_off, size_t* servers) {
  const std::string four = Voters({1, 2, 3, 4});
  CoreUnit unit(guards_off);
  const core_snapshot snapshot{10, 1, 1, four.data(), four.size() - 24};
  const core_status status = unit.Begin(1, {}, &snapshot);
  *servers = status == CORE_OK ? core_server_count(unit.get()) : 0;
  return status;
}
TEST(Guard19, NothingIsReadBehindAConfiguration) {
  size_t servers = 0;
  EXPECT_EQ(BeginWithAConfigurationCutShort(0, &servers), CORE_MALFORMED);
  EXPECT_EQ(BeginWithAConfigurationCutShort(CORE_GUARD(19), &servers), CORE_OK);
  EXPECT_EQ(servers, 4u);
}

// Whole as bytes; but the engine refuses to decode them, and a step of it that fails is the end.
TEST(Guard19, MessagesWithTheSameServerTwiceAreDropped) {
  const std::string other = Voters({1, 2});
  for (const size_t at : {size_t{9}, size_t{17}}) {  // of the first server's id and address
    std::string twice = other;
    const size_t server_bytes = 8 + std::strlen(&other[17]) + 2;
    const size_t n = at == 9 ? 8 : std::strlen(&other[17]);
    twice.replace(at + server_bytes, n, other.substr(at, n));
    CoreUnit unit;
    unit.Begin(1, {Bootstrap(kThree)});
    unit.Append(2, 1, 1, 1, 1, {{1, CORE_CHANGE, twice}});
    EXPECT_TRUE(unit.entries_at.empty()) << at;
    EXPECT_FALSE(core_configuration_valid(twice.data(), twice.size())) << at;
  }
}

TEST(Guard19, MessagesWithMadeUpConfigurationsAreDropped) {
  CoreUnit unit;
  unit.Begin(1, {Bootstrap(kThree)});
  const std::string mad("\1\377\377\377\377\377\377\377\377", 9);
  unit.Append(2, 1, 1, 1, 1, {{1, CORE_CHANGE, mad}});
  EXPECT_TRUE(unit.entries_at.empty());
  core_message message = InstallMessage(10);
  message.install_snapshot.configuration = mad.data();
  message.install_snapshot.configuration_bytes = mad.size();
  unit.Receive(message);
  EXPECT_EQ(unit.snapshots, 0);
  CoreUnit other;
  EXPECT_EQ(other.Begin(1, {Bootstrap(mad)}), CORE_MALFORMED);
}

// Fails without core.c's `raft->tracer = NULL`: libraft's own tracer formats every message.
TEST(Engine, TracesNothing) {
  CoreUnit unit;
  EXPECT_FALSE(core_traces(unit.get()));
}

TEST(Engine, SeedDecidesTheElectionTimer) {
  std::vector<uint64_t> deadlines;
  for (const uint32_t seed : {7u, 7u, 8u, 9u}) {
    CoreUnit unit(0, seed);
    unit.Begin(1, {Bootstrap(kThree)});
    deadlines.push_back(core_deadline_ms(unit.get()));
  }
  EXPECT_EQ(deadlines[0], deadlines[1]);
  EXPECT_FALSE(deadlines[0] == deadlines[2] && deadlines[0] == deadlines[3]);
}

TEST(Engine, ChangesAreNotSubmittedAmongCommands) {
  CoreUnit unit;
  unit.Begin(1, {Bootstrap(kThree)});
  unit.Lead({2, 3});
  const uint64_t last = core_last_index(unit.get());
  EXPECT_EQ(unit.Submit({Command(core_term(unit.get())), Bootstrap(kThree)}), CORE_MALFORMED);
  EXPECT_EQ(core_last_index(unit.get()), last);
}

TEST(Engine, RefusedSubmitLeavesEverythingAsItWas) {
  CoreUnit unit;
  unit.Begin(1, {Bootstrap(kThree)});
  EXPECT_EQ(unit.Submit({Command(1)}), CORE_NOT_LEADER);
  EXPECT_EQ(core_last_index(unit.get()), 1u);
  EXPECT_TRUE(unit.entries_at.empty());
}

}  // namespace
}  // namespace bank::replication
