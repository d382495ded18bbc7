// Bugs on purpose: the checks must catch each of them.
//
// Built with -DBANK_PLANTED_BUGS=ON (preset `planted`), a program carries the one bug that the
// environment variable BANK_PLANTED_BUG names, from its first to its last step. In every other
// build IsPlanted() is the constant false and the compiler removes what it guards.
// tests/planted/run.py runs the suite against each bug and writes the table of bug, catching test
// and seeds needed (docs/TESTING.md).
#pragma once

#include <string_view>

namespace bank {

enum class Planted {
  kNoDedup,                 // a key seen before is applied again
  kKeyReuseUnseen,          // the same key with other content gets the first outcome
  kRefusalForgotten,        // refusals are not remembered by the session
  kSessionsNotInSnapshot,   // a snapshot brings no sessions back
  kLookupWithoutSeal,       // "not applied" is said, but the key stays open
  kForgetsTooEarly,         // the oldest answer that a customer may still ask for is forgotten
  kOverflowWraps,           // a deposit's check for overflow is missing
  kOverdraft,               // one unit more than the balance can be withdrawn
  kTransferLosesCredit,     // a transfer between two accounts takes, but does not give
  kBatchInPart,             // the last command of an entry of several is answered, but not applied
  kDigestSkipsWithdrawals,  // withdrawals do not enter the state digest
  kAnswerBeforeCommit,      // the leader applies and answers when its own disk has the entry
  kFollowerAheadOfCommit,   // a follower applies entries that nobody called committed
  kAnswerOfAnother,         // a proposal is answered with the entry another leader put in its place
  kLateSaidNotApplied,      // what is in the log when its time runs out is called not applied
  kReadWithoutQuorum,       // a leader reads without asking whether it still leads
  kReadBeforeOwnTerm,       // a new leader reads before an entry of its own term is committed
  kReadBeforeApplied,       // a confirmed read does not wait for the ledger
  kMinimumIndexIgnored,     // AT_LEAST reads do not wait
  kStaleAppendCounts,       // a finished write counts for whatever entry stands at its index now
  kAckBeforeSync,           // entries are called durable before the sync
  kVoteNotSaved,            // a vote is not written
  kRebuildingVotes,         // a branch that lost its log votes before it is whole again
  kLostEndsIntroduction,    // a wiped branch goes on when one is being rebuilt, others unheard
  kHearsayBelieved,         // what is said in a branch's name is believed without asking it back
  kChecksumUnchecked,       // the log is believed without its checksums
  kTornTailKept,            // a torn write at the end of the log is left there
  kRetryWithNewKey,         // the client repeats an unknown write under a new key
  kUnknownSaidFailed,       // the client reports an unknown write as certainly not applied
  kOwnKeyReplayTrusted,     // whatever a key of the branch's own session remembers is the answer
  kSessionIdIsPosition,     // sessions are numbered by the position that opened them
  kAnsweredBelowUnchecked,  // answers may be called seen that were never given
  kEvictsIdleLongestOfAll,  // the session idle for longest ends, whoever holds most
};

inline constexpr std::string_view kPlantedNames[] = {
    "no_dedup",
    "key_reuse_unseen",
    "refusal_forgotten",
    "sessions_not_in_snapshot",
    "lookup_without_seal",
    "forgets_too_early",
    "overflow_wraps",
    "overdraft",
    "transfer_loses_credit",
    "batch_in_part",
    "digest_skips_withdrawals",
    "answer_before_commit",
    "follower_ahead_of_commit",
    "answer_of_another",
    "late_said_not_applied",
    "read_without_quorum",
    "read_before_own_term",
    "read_before_applied",
    "minimum_index_ignored",
    "stale_append_counts",
    "ack_before_sync",
    "vote_not_saved",
    "rebuilding_votes",
    "lost_ends_introduction",
    "hearsay_believed",
    "checksum_unchecked",
    "torn_tail_kept",
    "retry_with_new_key",
    "unknown_said_failed",
    "own_key_replay_trusted",
    "session_id_is_position",
    "answered_below_unchecked",
    "evicts_idle_longest_of_all",
};

#ifdef BANK_PLANTED_BUGS
bool IsPlanted(Planted bug);
#else
constexpr bool IsPlanted(Planted) { return false; }
#endif

}  // namespace bank
