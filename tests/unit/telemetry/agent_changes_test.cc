// Goal: every coming and going of an agent is told once, by whoever has to, and by nobody else.
// Method: rows of what a branch sees, one look after the other.
#include "branch/telemetry/agent_changes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace bank::telemetry {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using News = AgentChanges::News;
using Part = AgentChanges::Part;

AgentView View(const std::string& name, Liveness liveness, uint64_t incarnation = 1) {
  AgentView view;
  const bool of_branch = name.starts_with("branch-");
  view.agent = std::make_shared<const Agent>(Agent{.name = name,
                                                   .hostname = "host",
                                                   .branch = BranchId(of_branch ? 2 : 0),
                                                   .incarnation = incarnation});
  view.liveness = liveness;
  view.life.heard_ns = 10;
  return view;
}
const News kJoined{EventKind::kJoined, "branch-2 on host joined"};
const News kSilent{EventKind::kLost, "branch-2 is lost: it has fallen silent"};

Event Told(EventKind kind, std::string text) {
  Event event;
  event.kind = kind;
  event.text = std::move(text);
  return event;
}

class Changes : public ::testing::Test {
 protected:
  std::vector<News> Look(std::vector<AgentView> agents, Part part) {
    return changes_.Look(agents, part, [this] {
      ++asked_;
      return events_;
    });
  }

  AgentChanges changes_{"branch-1"};
  std::vector<Event> events_;
  int asked_ = 0;
};

TEST_F(Changes, ALeaderTellsEachChangeOnce) {
  const std::vector<AgentView> live = {View("branch-2", Liveness::kLive)};
  EXPECT_THAT(Look(live, Part::kLeads), ElementsAre(kJoined));
  EXPECT_THAT(Look(live, Part::kLeads), IsEmpty());
  EXPECT_THAT(Look({View("branch-2", Liveness::kSuspect)}, Part::kLeads), IsEmpty());
  EXPECT_THAT(Look({View("branch-2", Liveness::kDead)}, Part::kLeads), ElementsAre(kSilent));
  EXPECT_THAT(Look({View("branch-2", Liveness::kDead)}, Part::kLeads), IsEmpty());
  EXPECT_THAT(Look({View("branch-2", Liveness::kLive, 2)}, Part::kLeads), ElementsAre(kJoined));
  EXPECT_THAT(Look({View("branch-2", Liveness::kLive, 3)}, Part::kLeads), ElementsAre(kJoined));
  EXPECT_THAT(Look({View("branch-1", Liveness::kLive)}, Part::kLeads), IsEmpty());
}

TEST_F(Changes, AConnectionThatEndedIsSaidToHave) {
  AgentView broken = View("branch-2", Liveness::kDead);
  broken.life.broken_ns = 11;
  Look({View("branch-2", Liveness::kLive)}, Part::kLeads);
  EXPECT_THAT(Look({broken}, Part::kLeads),
              ElementsAre(News{EventKind::kLost, "branch-2 is lost: its connection ended"}));
}

TEST_F(Changes, AVoterTellsOfLostBranchesAlone) {
  Look({View("branch-2", Liveness::kLive), View("meter", Liveness::kLive)}, Part::kVotes);
  EXPECT_THAT(
      Look({View("branch-2", Liveness::kDead), View("meter", Liveness::kDead)}, Part::kVotes),
      ElementsAre(kSilent));
  EXPECT_THAT(
      Look({View("branch-2", Liveness::kDead), View("meter", Liveness::kDead)}, Part::kVotes),
      IsEmpty());
}

TEST_F(Changes, WhoDoesNotVoteTellsNothing) {
  Look({View("branch-2", Liveness::kLive)}, Part::kReceives);
  EXPECT_THAT(Look({View("branch-2", Liveness::kDead)}, Part::kReceives), IsEmpty());
}

TEST_F(Changes, ANewLeaderTellsWhatChangedWhileNobodyLed) {
  Look({View("meter", Liveness::kLive)}, Part::kVotes);
  Look({View("meter", Liveness::kDead)}, Part::kVotes);
  EXPECT_THAT(Look({View("meter", Liveness::kDead)}, Part::kLeads),
              ElementsAre(News{EventKind::kLost, "meter is lost: it has fallen silent"}));
}

TEST_F(Changes, ANewLeaderDoesNotRepeatTheLastOne) {
  events_ = {Told(EventKind::kJoined, "branch-2 on host joined"),
             Told(EventKind::kLost, "branch-2 is lost: it has fallen silent"),
             Told(EventKind::kJoined, "branch-22 on host joined"),
             Told(EventKind::kElection, "branch-2 leads")};
  Look({View("branch-2", Liveness::kDead)}, Part::kReceives);
  EXPECT_THAT(Look({View("branch-2", Liveness::kDead)}, Part::kLeads), IsEmpty());
  EXPECT_EQ(asked_, 1);
}

TEST_F(Changes, ANewLeaderTellsOfALossThatNobodyTold) {
  events_ = {Told(EventKind::kJoined, "branch-2 on host joined")};
  Look({View("branch-2", Liveness::kDead)}, Part::kReceives);
  EXPECT_THAT(Look({View("branch-2", Liveness::kDead)}, Part::kLeads), ElementsAre(kSilent));
}

TEST_F(Changes, OneThatLivesNeedNotHaveBeenTold) {
  Look({View("branch-2", Liveness::kLive)}, Part::kReceives);
  EXPECT_THAT(Look({View("branch-2", Liveness::kLive)}, Part::kLeads), IsEmpty());
}

TEST_F(Changes, TheEndOfTheLeaderIsToldOnceItIsClear) {
  const std::vector<AgentView> dead = {View("branch-2", Liveness::kDead)};
  EXPECT_THAT(changes_.LookAtBrokenLeader(dead), IsEmpty());  // nothing broke
  changes_.NoteBrokenLeader("branch-2");
  EXPECT_THAT(changes_.LookAtBrokenLeader({View("branch-2", Liveness::kSuspect)}), IsEmpty());
  EXPECT_THAT(changes_.LookAtBrokenLeader(dead), ElementsAre(kSilent));
  EXPECT_THAT(changes_.LookAtBrokenLeader(dead), IsEmpty());
  changes_.NoteBrokenLeader("branch-2");  // its other stream
  EXPECT_THAT(changes_.LookAtBrokenLeader(dead), IsEmpty());
  // Whoever has told it as a follower does not repeat it as the leader.
  EXPECT_THAT(Look(dead, Part::kLeads), IsEmpty());
}

TEST_F(Changes, ALeaderThatComesBackWasNotLost) {
  changes_.NoteBrokenLeader("branch-2");
  EXPECT_THAT(changes_.LookAtBrokenLeader({View("branch-2", Liveness::kLive)}), IsEmpty());
  EXPECT_THAT(changes_.LookAtBrokenLeader({View("branch-2", Liveness::kDead)}), IsEmpty());
}

}  // namespace
}  // namespace bank::telemetry
