#include "customer/load/engine.h"

#include <algorithm>
#include <chrono>
#include <utility>

namespace bank::load {
namespace {

// How long a call to stop, or the end of the time, may go unnoticed while nothing completes.
constexpr int64_t kPollNs = 50'000'000;

std::string_view ResultOf(const history::Completion& completion) {
  switch (completion.ending) {
    case history::Ending::kOk:
      return completion.result;
    case history::Ending::kFail:
      return "not_applied";
    case history::Ending::kInfo:
      return "unknown";
  }
  return "";
}

}  // namespace

Engine::Engine(const Clock& clock, const Options& options, const std::atomic<bool>& stop)
    : clock_(clock), options_(options), stop_(stop), random_(options.seed) {}

Engine::~Engine() {
  queue_.Shutdown();
  void* tag = nullptr;
  bool ok = false;
  while (queue_.Next(&tag, &ok)) {
  }
}

void Engine::StartRun(Source& source) {
  source_ = &source;
  exhausted_ = false;
  tally_ = {};
  start_ns_ = last_settled_ns_ = NowNs();
}

Tally Engine::FinishRun() {
  while (under_way_ > 0) {
    int64_t wait_ns = kPollNs;
    if (!timers_.empty())
      wait_ns = std::clamp<int64_t>(timers_.begin()->first - NowNs(), 0, kPollNs);
    void* tag = nullptr;
    bool ok = false;
    const auto deadline = std::chrono::system_clock::now() + std::chrono::nanoseconds(wait_ns);
    if (queue_.AsyncNext(&tag, &ok, deadline) == grpc::CompletionQueue::GOT_EVENT) {
      static_cast<Event*>(tag)->On(ok);
    }
    RunTimers();
  }
  tally_.elapsed_ns = last_settled_ns_ - start_ns_;
  return std::move(tally_);
}

void Engine::RunTimers() {
  while (!timers_.empty() && timers_.begin()->first <= NowNs()) {
    Event* event = timers_.begin()->second;
    timers_.erase(timers_.begin());
    event->On(true);
  }
}

std::optional<history::Operation> Engine::Take() {
  if (exhausted_) return std::nullopt;
  std::optional<history::Operation> operation;
  const bool over =
      stop_.load(std::memory_order_relaxed) || NowNs() - start_ns_ >= options_.duration_ns_max;
  if (!over) operation = source_->Next();
  if (operation) {
    ++under_way_;
  } else {
    exhausted_ = true;
  }
  return operation;
}

void Engine::After(int64_t ns, Event& event) { timers_.emplace(NowNs() + ns, &event); }

void Engine::Invoked(const Pending& pending, BranchId branch) {
  if (options_.recorder == nullptr) return;
  options_.recorder->Invoke(pending.identity, pending.operation, branch);
}

void Engine::Settled(const Pending& pending, const history::Completion& completion, BranchId branch,
                     int64_t start_ns) {
  if (options_.recorder != nullptr) {
    options_.recorder->Complete(pending.identity, pending.operation, completion, branch);
  }
  last_settled_ns_ = NowNs();
  const int64_t latency_ns = last_settled_ns_ - start_ns;
  tally_.latency.Add(latency_ns);
  tally_.latency_ns_max = std::max(tally_.latency_ns_max, latency_ns);
  const std::string_view result = ResultOf(completion);
  const auto found = tally_.results.find(result);
  if (found != tally_.results.end()) {
    ++found->second;
  } else {
    tally_.results.emplace(result, 1);
  }
  --under_way_;
}

}  // namespace bank::load
