#include "branch/node/readiness.h"

#include <spdlog/spdlog.h>

#include <future>
#include <string>
#include <utility>

#include "branch/ledger/command.h"

namespace bank::node {
namespace {

// How long one question may take before the thread looks around again.
constexpr int64_t kStepNs = 1'000'000'000;
// Between two questions that were refused at once.
constexpr absl::Duration kPause = absl::Milliseconds(20);

}  // namespace

Readiness::Readiness(replication::Replicator& replicator, const Clock& clock,
                     int64_t initial_balance, std::function<void()> on_ready)
    : replicator_(replicator),
      clock_(clock),
      initial_balance_(initial_balance),
      on_ready_(std::move(on_ready)),
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
    const bool ready = Step();
    {
      absl::MutexLock lock(&mutex_);
      if (!ready) mutex_.AwaitWithTimeout(absl::Condition(&stopping_), kPause);
      if (stopping_) return;
    }
    if (ready) return on_ready_();
  }
}

bool Readiness::Step() {
  if (!AwaitBarrier().ok()) return false;
  if (replicator_.GetStatus().ledger.position.value == 0) {
    const bool leads = replicator_.GetStatus().role == replication::Role::kLeader;
    if (!(leads ? Found() : AwaitFoundingWrite()).ok()) return false;
  }
  return replicator_.GetStatus().ready;
}

absl::Status Readiness::AwaitBarrier() {
  std::promise<absl::Status> answer;
  replicator_.ReadBarrier(clock_.NowNs() + kStepNs,
                          [&answer](absl::Status status) { answer.set_value(std::move(status)); });
  return answer.get_future().get();
}

absl::Status Readiness::AwaitFoundingWrite() {
  std::promise<absl::Status> answer;
  replicator_.WaitApplied(Position(1), clock_.NowNs() + kStepNs,
                          [&answer](absl::Status status) { answer.set_value(std::move(status)); });
  return answer.get_future().get();
}

absl::Status Readiness::Found() {
  std::string batch;
  ledger::AppendCommand(
      {.kind = ledger::Kind::kOpen, .account = ledger::kSharedAccount, .amount = initial_balance_},
      &batch);
  std::promise<replication::ProposeResult> answer;
  replicator_.Propose(
      std::move(batch), 1, clock_.NowNs() + kStepNs,
      [&answer](replication::ProposeResult result) { answer.set_value(std::move(result)); });
  const replication::ProposeResult result = answer.get_future().get();
  if (result.fate != replication::Fate::kApplied) return absl::UnavailableError(result.reason);
  if (result.outcomes.at(0).code == ledger::Code::kOk) {
    spdlog::info("founded the bank: account '{}' opened with {}", ledger::kSharedAccount,
                 initial_balance_);
  }
  return absl::OkStatus();
}

}  // namespace bank::node
