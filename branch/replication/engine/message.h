// Everything one branch's driver says to another's. Values only: branch/peers makes bytes of them.
//
// The transport's contract (the engine relies on it): from one sender to one receiver messages
// arrive in order, each at most once, and none that was sent over an earlier connection arrives
// after the first one of a newer connection. Any message may be lost.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "branch/storage/entry.h"
#include "common/ids.h"

namespace bank::replication {

// What no honest branch exceeds; peers/convert.h refuses the rest. Highest values, inclusive.
//
// An election a second for a hundred billion years.
inline constexpr uint64_t kTermMax = uint64_t{1} << 62;
// By how much a message can raise the receiver's term before its sender is asked back
// (driver_challenge.cc): twelve days with an election every second. Whoever makes messages up needs
// 2^42 of them to reach the end, each with a write to the disk.
inline constexpr uint64_t kTermStepMax = uint64_t{1} << 20;
// A hundred thousand entries a second for 89 years.
inline constexpr uint64_t kLogIndexMax = uint64_t{1} << 48;
inline constexpr uint64_t kReadRoundMax = uint64_t{1} << 62;
inline constexpr uint64_t kNonceMax = uint64_t{1} << 62;
// Of one AppendEntries. A leader sends DriverOptions::inflight_entries_max at most.
inline constexpr size_t kMessageEntriesMax = 4096;
// The bank's own time (ledger::EntryHeader): 8,900 years after its founding.
inline constexpr int64_t kBankTimeMsMax = int64_t{1} << 48;

struct RequestVote {
  uint8_t version = 0;
  Term term;
  BranchId candidate;
  LogIndex last_log_index;
  Term last_log_term;
  bool disrupt_leader = false;
  bool pre_vote = false;
};

struct RequestVoteResult {
  uint8_t version = 0;
  Term term;
  bool vote_granted = false;
  bool pre_vote = false;
  uint16_t features = 0;
  uint16_t capacity = 0;
};

struct AppendEntries {
  uint8_t version = 0;
  Term term;
  LogIndex prev_log_index;
  Term prev_log_term;
  LogIndex leader_commit;
  std::vector<storage::Entry> entries;
};

struct AppendEntriesResult {
  static constexpr LogIndex kOfOlderTerm{UINT64_MAX};  // the message was

  uint8_t version = 0;
  Term term;
  LogIndex rejected;        // 0: accepted; kOfOlderTerm: not looked at
  LogIndex last_log_index;  // of an accepted one, or one that was looked at
  uint16_t features = 0;
  uint16_t capacity = 0;
  uint64_t life = 0;  // of the sender's process, as in its ChallengeResult
};

struct InstallSnapshot {
  uint8_t version = 0;
  Term term;
  storage::Snapshot snapshot;  // the transport carries its bytes in pieces
};

struct TimeoutNow {
  uint8_t version = 0;
  Term term;
  LogIndex last_log_index;
  Term last_log_term;
};

// Read index (raft thesis, section 6.4): "is `term` still your term?" The round's number is drawn
// at random.
struct ReadProbe {
  Term term;
  uint64_t round = 0;
};
struct ReadProbeResult {
  Term term;  // the receiver's own
  uint64_t round = 0;
};

// From a branch that lost what it had acknowledged (Recovered::rebuilding, or an old copy of its
// folder): the leader must forget what it believes this branch holds.
struct LostLog {
  Term term;
  LogIndex last_log_index;  // what it still has
};
// From the leader to a branch whose log ends below what it has acknowledged in this term. The
// receiver asks back before it believes it.
struct LogBehindAcknowledged {
  Term term;
  LogIndex acknowledged;
};

// To a branch that is no member, from one that knows it: as of the change at `configuration_index`,
// which is committed. The receiver asks back before it believes it.
struct NoMember {
  Term term;
  LogIndex configuration_index;
};

// The call-back (driver_challenge.cc): what does the receiver hold true of the sender?
struct Challenge {
  Term term;
  uint64_t nonce = 0;  // 1 or more; drawn at random, told to nobody else
};
// Says so at this moment. Whoever did not see the challenge cannot answer it.
struct ChallengeResult {
  Term term = {};
  uint64_t nonce = 0;             // of the challenge
  LogIndex acknowledged = {};     // by the challenger, to the answerer, who leads in `term`; else 0
  LogIndex no_member_since = {};  // the committed change that removed the challenger; 0: none did
  bool holds = false;             // the answerer's log goes beyond the bootstrap: the bank exists
  bool lost = false;              // the answerer is being rebuilt: it does not know what it held
  uint64_t life = 0;              // of its process: drawn at random, told to no stranger
};

using Message = std::variant<RequestVote, RequestVoteResult, AppendEntries, AppendEntriesResult,
                             InstallSnapshot, TimeoutNow, ReadProbe, ReadProbeResult, LostLog,
                             LogBehindAcknowledged, NoMember, Challenge, ChallengeResult>;

}  // namespace bank::replication
