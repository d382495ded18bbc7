#include "branch/telemetry/collectors/sampler.h"

#include <algorithm>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"

namespace bank::telemetry {
Sampler::Sampler(SamplerOptions options, std::vector<std::unique_ptr<Collector>> collectors,
                 StatusSource status, const Clock& clock, std::function<int64_t()> unix_ns,
                 Sink sink)
    : options_(std::move(options)),
      status_(std::move(status)),
      clock_(clock),
      unix_ns_(std::move(unix_ns)),
      sink_(std::move(sink)),
      schedule_(clock.NowNs(), options_.interval_ms * kNsPerMs) {
  for (std::unique_ptr<Collector>& collector : collectors) {
    sources_.push_back({.collector = std::move(collector)});
  }
}

Sampler::~Sampler() { Stop(); }

void Sampler::Start() {
  thread_ = std::thread([this] { Run(); });
}

void Sampler::Stop() {
  {
    absl::MutexLock lock(&mutex_);
    stopping_ = true;
  }
  if (thread_.joinable()) thread_.join();
}

absl::Status Sampler::SetInterval(int64_t interval_ms) {
  if (interval_ms < SamplerOptions::kIntervalMsMin ||
      interval_ms > SamplerOptions::kIntervalMsMax) {
    return absl::InvalidArgumentError(absl::StrCat("the interval must be ",
                                                   SamplerOptions::kIntervalMsMin, " to ",
                                                   SamplerOptions::kIntervalMsMax, " ms"));
  }
  absl::MutexLock lock(&mutex_);
  schedule_.SetInterval(clock_.NowNs(), interval_ms * kNsPerMs);
  changed_ = true;
  return absl::OkStatus();
}

int64_t Sampler::interval_ms() const {
  absl::MutexLock lock(&mutex_);
  return schedule_.interval_ns() / kNsPerMs;
}

absl::Status Sampler::SetCollector(std::string_view name, Switch to) {
  absl::MutexLock lock(&mutex_);
  const auto found = std::find_if(sources_.begin(), sources_.end(), [&](const Source& source) {
    return source.collector->name() == name;
  });
  if (found == sources_.end()) {
    return absl::NotFoundError(absl::StrCat("there is no collector '", std::string(name), "'"));
  }
  const bool on = to == Switch::kOn;
  if (on && !found->on) found->forget = true;
  found->on = on;
  return absl::OkStatus();
}

void Sampler::Run() {
  for (;;) {
    bool due = false;
    {
      absl::MutexLock lock(&mutex_);
      const int64_t wake_ns =
          std::min(schedule_.next_ns(), published_ns_ + options_.heartbeat_ms * kNsPerMs);
      const int64_t wait_ns = wake_ns - clock_.NowNs();
      if (wait_ns > 0) {
        mutex_.AwaitWithTimeout(absl::Condition(this, &Sampler::Changed),
                                absl::Nanoseconds(wait_ns));
      }
      if (stopping_) return;
      if (std::exchange(changed_, false)) continue;
      const int64_t now_ns = clock_.NowNs();
      if (now_ns < wake_ns) continue;
      due = now_ns >= schedule_.next_ns();
      if (due) schedule_.Advance(now_ns);
    }
    if (due) {
      Sample();
    } else {
      Publish(NewBatch());  // a heartbeat
    }
  }
}

void Sampler::Sample() {
  std::shared_ptr<SampleBatch> batch = NewBatch();
  batch->samples.reserve(samples_max_);
  for (Source& source : sources_) {
    bool on = false;
    bool forget = false;
    {
      absl::MutexLock lock(&mutex_);
      on = source.on;
      forget = std::exchange(source.forget, false);
    }
    if (forget) source.collector->Forget();
    if (on) source.collector->Collect(clock_.NowNs(), &batch->samples);
  }
  samples_max_ = std::max(samples_max_, batch->samples.size());
  batch->sequence = ++last_sequence_;
  Publish(std::move(batch));
}

std::shared_ptr<SampleBatch> Sampler::NewBatch() {
  auto batch = std::make_shared<SampleBatch>();
  batch->agent = options_.agent;
  batch->time_unix_ns = unix_ns_();
  if (status_ != nullptr) batch->status = status_();
  return batch;
}

void Sampler::Publish(std::shared_ptr<SampleBatch> batch) {
  published_ns_ = clock_.NowNs();
  sink_(std::move(batch));
}

}  // namespace bank::telemetry
