#include "branch/node/readiness.h"

#include <spdlog/spdlog.h>

#include <future>
#include <string>
#include <utility>

#include "branch/ledger/command.h"

namespace bank::node {
namespace {

// How long one question may take before the thread looks around again.
constexpr std::chrono::nanoseconds kStep = std::chrono::seconds(1);
// Between two questions that were refused at once.
constexpr absl::Duration kPause = absl::Milliseconds(20);
// A branch that is not ready for so long says why, once.
constexpr std::chrono::nanoseconds kExplainAfter = std::chrono::seconds(5);
// A branch that serves asks so often within its patience.
constexpr int kQuestions = 4;

}  // namespace

std::string_view WhatIsAwaited(const replication::ReplicatorStatus& status) {
  if (status.bootstrapping) {
    return "waits for the other branches that vote, to learn whether the bank exists (all of three "
           "or four of five must be up to found one)";
  }
  if (status.rebuilding) {
    return "waits to be filled by the others, which takes a majority of those that vote, up and "
           "with their own logs; if too few have theirs, put the files of one back as they were "
           "when it last stopped (a rebuild left them in damaged-N in its folder)";
  }
  return "reaches no quorum: a majority of the branches that vote must be up, and not be waiting "
         "to "
         "be filled themselves";
}

Readiness::Readiness(replication::Replicator& replicator, const Clock& clock, Options options,
                     std::function<void(bool serves)> on_change)
    : replicator_(replicator),
      clock_(clock),
      options_(options),
      on_change_(std::move(on_change)),
      thread_([this] { Run(); }) {}

void Readiness::Stop() {
  {
    absl::MutexLock lock(&mutex_);
    stopping_ = true;
  }
  if (thread_.joinable()) thread_.join();
}

void Readiness::Run() {
  for (;;) {
    int64_t explain_ns = clock_.NowNs() + kExplainAfter.count();
    while (!Step()) {
      if (!Sleep(kPause)) return;
      if (clock_.NowNs() < explain_ns) continue;
      explain_ns = INT64_MAX;
      spdlog::warn("not ready yet: {}", WhatIsAwaited(replicator_.GetStatus()));
    }
    if (!Sleep(absl::ZeroDuration())) return;
    on_change_(true);
    do {
      if (!Sleep(absl::FromChrono(options_.patience) / kQuestions)) return;
    } while (StillReaches());
    if (!Sleep(absl::ZeroDuration())) return;
    on_change_(false);
  }
}

bool Readiness::Sleep(absl::Duration pause) {
  absl::MutexLock lock(&mutex_);
  return !mutex_.AwaitWithTimeout(absl::Condition(&stopping_), pause);
}

bool Readiness::Step() {
  if (!AwaitBarrier(kStep).ok()) return false;
  if (replicator_.GetStatus().ledger.position.value == 0) {
    const bool leads = replicator_.GetStatus().role == replication::Role::kLeader;
    if (!(leads ? Found() : AwaitBootstrapWrite()).ok()) return false;
  }
  return replicator_.GetStatus().ready;
}

bool Readiness::StillReaches() {
  const int64_t give_up_ns = clock_.NowNs() + std::chrono::nanoseconds(options_.patience).count();
  for (;;) {
    const int64_t left_ns = give_up_ns - clock_.NowNs();
    if (left_ns <= 0) return false;
    if (AwaitBarrier(std::chrono::nanoseconds(left_ns)).ok()) return true;
    if (!Sleep(kPause)) return true;
  }
}

absl::Status Readiness::AwaitBarrier(std::chrono::nanoseconds patience) {
  std::promise<absl::Status> answer;
  replicator_.ReadBarrier(clock_.NowNs() + patience.count(),
                          [&answer](absl::Status status) { answer.set_value(std::move(status)); });
  return answer.get_future().get();
}

absl::Status Readiness::AwaitBootstrapWrite() {
  std::promise<absl::Status> answer;
  replicator_.WaitApplied(Position(1), clock_.NowNs() + kStep.count(),
                          [&answer](absl::Status status) { answer.set_value(std::move(status)); });
  return answer.get_future().get();
}

absl::Status Readiness::Found() {
  std::string batch;
  ledger::AppendCommand({.kind = ledger::Kind::kOpen,
                         .account = ledger::kSharedAccount,
                         .amount = options_.initial_balance},
                        &batch);
  std::promise<replication::ProposeResult> answer;
  replicator_.Propose(
      std::move(batch), 1, clock_.NowNs() + kStep.count(),
      [&answer](replication::ProposeResult result) { answer.set_value(std::move(result)); });
  const replication::ProposeResult result = answer.get_future().get();
  if (result.fate != replication::Fate::kApplied) return absl::UnavailableError(result.reason);
  if (result.outcomes.at(0).code == ledger::Code::kOk) {
    spdlog::info("founded the bank: account '{}' opened with {}", ledger::kSharedAccount,
                 options_.initial_balance);
  }
  return absl::OkStatus();
}

}  // namespace bank::node
