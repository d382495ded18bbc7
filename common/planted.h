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
  kSessionsNotInSnapshot,   // a snapshot carries no sessions
  kLookupWithoutSeal,       // "not applied" is said, but the key stays open
  kOverflowWraps,           // the check for overflow is missing
  kOverdraft,               // one unit more than the balance can be withdrawn
  kTransferLosesCredit,     // a transfer between two accounts takes, but does not give
  kBatchInPart,             // the last command of a batch of several is answered, but not applied
  kDigestSkipsWithdrawals,  // withdrawals do not enter the state digest
  kAnswerBeforeCommit,      // the leader answers when its own disk has the entry
  kReadWithoutQuorum,       // a leader reads without asking whether it still leads
  kReadBeforeApplied,       // a confirmed read does not wait for the ledger
  kAckBeforeSync,           // entries are called durable before the sync
  kVoteNotSaved,            // term and vote are not written
  kChecksumUnchecked,       // records of the log are believed without their checksum
  kTornTailKept,            // a cut record at the end of the log is taken as an empty entry
  kRetryWithNewKey,         // the client repeats an unknown write under a new key
  kUnknownSaidFailed,       // the client reports an unknown write as certainly not applied
  kMinimumIndexIgnored,     // AT_LEAST reads do not wait
};

inline constexpr std::string_view kPlantedNames[] = {
    "no_dedup",
    "key_reuse_unseen",
    "refusal_forgotten",
    "sessions_not_in_snapshot",
    "lookup_without_seal",
    "overflow_wraps",
    "overdraft",
    "transfer_loses_credit",
    "batch_in_part",
    "digest_skips_withdrawals",
    "answer_before_commit",
    "read_without_quorum",
    "read_before_applied",
    "ack_before_sync",
    "vote_not_saved",
    "checksum_unchecked",
    "torn_tail_kept",
    "retry_with_new_key",
    "unknown_said_failed",
    "minimum_index_ignored",
};

#ifdef BANK_PLANTED_BUGS
bool IsPlanted(Planted bug);
#else
constexpr bool IsPlanted(Planted) { return false; }
#endif

}  // namespace bank
