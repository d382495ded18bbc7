// Statistics: what happened in the runs, so that one sees that the faults really struck.
#pragma once

#include <cstdint>
#include <string>

namespace bank::sim {

// One row per counter: its name in the code, and whether a few hundred seeds must count at least
// one (a simulation that injects nothing proves nothing).
#define BANK_SIM_COUNTERS(X)           \
  X(steps, true)                       \
  X(messages, true)                    \
  X(messages_lost, true)               \
  X(connections_broken, true)          \
  X(link_cuts, true)                   \
  X(link_cuts_one_way, true)           \
  X(isolations, true)                  \
  X(mutes, true)                       \
  X(old_leaders, true)                 \
  X(partitions, true)                  \
  X(ring_cuts, true)                   \
  X(link_flaps, true)                  \
  X(network_storms, true)              \
  X(candidates_cut_off, true)          \
  X(promoted_cut_off, true)            \
  X(installed_muted, true)             \
  X(crashes, true)                     \
  X(restarts, true)                    \
  X(restart_storms, true)              \
  X(blackouts, true)                   \
  X(crashes_inside_disk_call, true)    \
  X(torn_tails_cut, true)              \
  X(pauses, true)                      \
  X(slow_disks, true)                  \
  X(disks_full, true)                  \
  X(stops_on_full_disk, true)          \
  X(disk_errors, true)                 \
  X(stops_on_disk_error, true)         \
  X(bytes_flipped, true)               \
  X(damage_refused, true)              \
  X(folders_wiped, true)               \
  X(two_of_three_wiped, true)          \
  X(old_copies_restored, true)         \
  X(old_copies_noticed, true)          \
  X(rebuilds_begun, true)              \
  X(rebuilds_finished, true)           \
  X(clock_jumps, true)                 \
  X(clock_skews, true)                 \
  X(transfers, true)                   \
  X(member_changes_asked, true)        \
  X(member_changes_refused, true)      \
  X(member_changes_unknown, true)      \
  X(members_made_standby, true)        \
  X(members_promoted, true)            \
  X(members_removed, true)             \
  X(leaders_demoted, true)             \
  X(elections, true)                   \
  X(elections_without_some, true)      \
  X(leaderships_handed_over, true)     \
  X(idle_standbys_promoted, true)      \
  X(log_truncations, true)             \
  X(timer_spins, false)                \
  X(snapshots_taken, true)             \
  X(snapshots_installed, true)         \
  X(entries_applied, true)             \
  X(writes_acknowledged, true)         \
  X(writes_refused, true)              \
  X(writes_unknown, true)              \
  X(writes_resolved_applied, true)     \
  X(writes_resolved_not_applied, true) \
  X(retries, true)                     \
  X(answers_replayed, true)            \
  X(batches_forwarded, true)           \
  X(key_reuses_refused, true)          \
  X(strange_keys_refused, true)        \
  X(early_floors_refused, true)        \
  X(sessions_flooded, true)            \
  X(lies_of_lost_logs, true)           \
  X(lies_of_removal, true)             \
  X(lies_of_a_leader, true)            \
  X(lies_of_terms, true)               \
  X(answers_guessed, true)             \
  X(acknowledgements_made_up, true)    \
  X(read_confirmations_guessed, true)  \
  X(elections_provoked, true)          \
  X(challenges, true)                  \
  X(removals_confirmed, true)          \
  X(reads, true)                       \
  X(reads_through_follower, true)      \
  X(reads_failed, true)                \
  X(reads_at_least, true)              \
  X(reads_local, true)                 \
  X(writes_without_key, true)          \
  X(keys_contended, true)              \
  X(sessions_expired, true)            \
  X(late_retries_refused, true)        \
  X(client_ok, true)                   \
  X(client_fail, true)                 \
  X(client_info, true)                 \
  X(client_lookups, true)

struct Statistics {
#define BANK_SIM_FIELD(name, required) uint64_t name = 0;
  BANK_SIM_COUNTERS(BANK_SIM_FIELD)
#undef BANK_SIM_FIELD

  void Add(const Statistics& other);
  std::string Text() const;           // one "name value" per line
  std::string NeverHappened() const;  // names of the required counters at zero; empty: none
};

}  // namespace bank::sim
