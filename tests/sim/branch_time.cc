// The steps of a branch process: when they are taken, and what is looked at after each.
#include "common/clock.h"
#include "tests/sim/branch_process.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "branch/replication/engine/configuration.h"
#include "tests/sim/auditor.h"
#include "tests/sim/nemesis.h"

namespace bank::sim {
void BranchProcess::Later(SimTime delay, Scheduler::Task task) {
  world_.scheduler.After(delay, [this, life = life_, task = std::move(task)]() mutable {
    if (life == life_) Enter(std::move(task));
  });
}

void BranchProcess::Enter(Scheduler::Task task) {
  if (!up()) return;
  if (paused_) {
    backlog_.push_back(std::move(task));
  } else {
    task();
  }
}

void BranchProcess::Inspect() {
  const replication::ReplicatorStatus before = std::move(status_);
  status_ = driver_->GetStatus();
  world_.auditor->OnProgress(id(), before, status_);
  // Copied only when it may have changed.
  if (status_.last_index != before.last_index || status_.term != before.term ||
      status_.commit_index != before.commit_index ||
      status_.snapshot_index != before.snapshot_index || membership_.change.has_value()) {
    const replication::Membership known = std::exchange(membership_, driver_->GetMembership());
    if (!membership_.committed && membership_.index != known.index) TellPromotion(known);
  }
  if (status_.role == replication::Role::kCandidate && status_.term > before.term) {
    world_.nemesis->OnCandidacy(*this);
  }
  if (status_.role == replication::Role::kLeader &&
      (before.role != replication::Role::kLeader || before.term != status_.term)) {
    world_.auditor->OnLeader(id(), status_.term);
  }
  if (status_.applied_index > before.applied_index) {
    for (LogIndex i = inspected_.Next(); i <= status_.applied_index; i = i.Next()) {
      const EntryId* const entry = log_.Find(i);
      if (entry == nullptr) {
        world_.Violate(absl::StrCat("branch ", id().value, " applied index ", i.value,
                                    ", which its log does not hold"));
        return;
      }
      world_.auditor->OnApplied(id(), i, *entry);
    }
    inspected_ = std::max(inspected_, status_.applied_index);
    world_.auditor->OnLedger(id(), status_.applied_index, status_.ledger);
  }
  client_frontend_->OnStatus(status_);
  // Entries behind both the applied index and any conflict are no longer needed here.
  if (inspected_.value > log_.first().value + 4096) log_.DropBefore(inspected_);
}

void BranchProcess::TellPromotion(const replication::Membership& before) {
  if (status_.role != replication::Role::kLeader) return;
  for (const replication::Member& member : membership_.members) {
    const auto* then = replication::FindMember(before.members, member.id);
    if (member.voter && then != nullptr && !then->voter) world_.nemesis->OnPromotion(member.id);
  }
}

int64_t BranchProcess::NextDeadlineMs() const {
  const int64_t counter_ns = client_frontend_->NextDeadlineNs();
  const int64_t driver_ms = driver_->NextDeadlineMs();
  if (counter_ns == std::numeric_limits<int64_t>::max()) return driver_ms;
  return std::min(driver_ms, counter_ns / kNsPerMs + 1);
}

void BranchProcess::ArmTimer() {
  const int64_t deadline_ms = NextDeadlineMs();
  if (deadline_ms == std::numeric_limits<int64_t>::max()) return;  // nothing to wait for
  const SimTime now = world_.scheduler.now();
  const SimTime when = clock_.When(deadline_ms, now);
  if (timer_at_ >= 0 && timer_at_ <= when) return;  // that one comes first, and arms the next
  ArmTimerAt(when);
}

void BranchProcess::ArmTimerAt(SimTime when) {
  timer_at_ = when;
  world_.scheduler.At(when, [this, life = life_, number = ++timer_number_] {
    if (life != life_ || number != timer_number_) return;
    Enter([this] { OnTimer(); });
  });
}

void BranchProcess::OnTimer() {
  timer_at_ = -1;
  if (NextDeadlineMs() > NowMs()) return ArmTimer();
  if (driver_->NextDeadlineMs() <= NowMs()) {
    driver_->OnTimer(NowMs());
    if (!up()) return;
    Inspect();
  }
  client_frontend_->OnTimer(steady_clock_.NowNs());
  if (NextDeadlineMs() > NowMs()) return ArmTimer();
  // Still due: a real loop would spin; here it is called again a millisecond later, and counted.
  ++world_.statistics.timer_spins;
  ArmTimerAt(world_.scheduler.now() + kMillisecond);
}

}  // namespace bank::sim
