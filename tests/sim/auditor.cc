#include "tests/sim/auditor.h"

#include "absl/strings/str_cat.h"

namespace bank::sim {

void Auditor::OnLeader(BranchId branch, Term term) {
  const auto [it, first] = leaders_.emplace(term, branch);
  if (first) {
    ++world_.statistics.elections;
    world_.trace.Note("leader", branch.value, term.value);
  } else if (it->second != branch) {
    world_.Violate(absl::StrCat("branches ", it->second.value, " and ", branch.value,
                                " both lead in term ", term.value));
  }
}

void Auditor::OnWritten(BranchId branch, LogIndex first,
                        const std::vector<storage::Entry>& entries) {
  for (size_t i = 0; i < entries.size(); ++i) {
    const LogIndex index = first.Plus(i);
    const EntryId id = EntryId::Of(entries[i]);
    const uint64_t content = id.payload_hash * 4 + static_cast<uint64_t>(id.type);
    const bool command = id.type == storage::EntryType::kCommand;
    const auto [it, is_new] = written_.emplace(
        std::pair(id.term, index), Written{content, command ? entries[i].payload : nullptr});
    if (!is_new && it->second.content != content) {
      world_.Violate(absl::StrCat("branch ", branch.value, " holds another entry of term ",
                                  id.term.value, " at index ", index.value,
                                  " than a branch before it"));
    }
  }
}

void Auditor::OnApplied(BranchId branch, LogIndex index, const EntryId& entry) {
  if (applied_.size() < index.value) applied_.resize(index.value);
  EntryId& known = applied_[index.value - 1];
  if (known.term == Term(0)) {
    known = entry;
    ++world_.statistics.entries_applied;
  } else if (known != entry) {
    world_.Violate(absl::StrCat("branch ", branch.value, " applied another entry at index ",
                                index.value, ": of term ", entry.term.value, ", not ",
                                known.term.value));
  }
}

std::vector<std::string> Auditor::Applied() const {
  std::vector<std::string> payloads(applied_.size());
  for (size_t i = 0; i < applied_.size(); ++i) {
    const auto it = written_.find({applied_[i].term, LogIndex(i + 1)});
    if (it != written_.end() && it->second.commands != nullptr) payloads[i] = *it->second.commands;
  }
  return payloads;
}

void Auditor::OnLedger(BranchId branch, LogIndex applied, const ledger::Summary& summary) {
  const auto [it, first] = ledgers_.emplace(applied, summary);
  const ledger::Summary& known = it->second;
  if (first) return;
  if (known.state_digest != summary.state_digest ||
      known.history_digest != summary.history_digest || known.position != summary.position ||
      known.time_ms != summary.time_ms || known.balance_total != summary.balance_total) {
    world_.Violate(absl::StrCat("branch ", branch.value, " has another ledger at applied index ",
                                applied.value, ": position ", summary.position.value, " total ",
                                summary.balance_total, ", not position ", known.position.value,
                                " total ", known.balance_total));
  }
}

void Auditor::OnProgress(BranchId branch, const replication::ReplicatorStatus& before,
                         const replication::ReplicatorStatus& now) {
  if (now.term < before.term || now.commit_index < before.commit_index ||
      now.applied_index < before.applied_index) {
    world_.Violate(absl::StrCat("branch ", branch.value, " went back: term ", before.term.value,
                                " -> ", now.term.value, ", commit ", before.commit_index.value,
                                " -> ", now.commit_index.value, ", applied ",
                                before.applied_index.value, " -> ", now.applied_index.value));
  }
  if (now.applied_index > now.commit_index) {
    world_.Violate(absl::StrCat("branch ", branch.value, " applied ", now.applied_index.value,
                                " beyond its commit index ", now.commit_index.value));
  }
}

}  // namespace bank::sim
