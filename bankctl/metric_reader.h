// MetricReader: the bank's metrics, from whichever branch answers; goes on elsewhere, after what it
// has read, when that branch is killed, hangs or stops.
//
// One thread reads. Cancel() may come from any other.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "bank/v1/monitor.grpc.pb.h"
#include "bankctl/commands.h"

namespace bank::bankctl {

struct Sample {
  int64_t time_unix_ns = 0;
  v1::Agent agent;
  uint64_t sequence = 0;
  std::shared_ptr<const v1::Series> series;
  double value = 0;
};

// "kind=read,quantile=0.99"; "" without attributes.
std::string AttributesOf(const v1::Series& series);

class MetricReader {
 public:
  struct Update {
    std::vector<Sample> samples;
    std::vector<v1::Gap> gaps;
    std::vector<v1::Event> events;
    // What the branch knows of each agent's life; there once the past has been read.
    std::vector<v1::MetricUpdate::AgentFrame> lives;
  };

  // `request`: which agents and metrics, and since when. The branches must outlive it.
  MetricReader(const std::vector<Branch>& branches, v1::StreamMetricsRequest request,
               std::chrono::milliseconds patience);
  ~MetricReader();

  // Waits for the next update. False: no branch has answered for `patience`, or it was cancelled.
  bool Next(Update* update);
  void Cancel();

  // Who answers now, or did last.
  const std::string& address() const { return address_; }
  // Why nobody answers.
  const std::string& fault() const { return fault_; }

 private:
  bool Dial();
  void HangUp();
  void Take(v1::MetricUpdate wire, Update* update);
  void Watch();

  const std::vector<Branch>& branches_;
  const v1::StreamMetricsRequest request_;
  const std::chrono::milliseconds patience_;
  size_t next_ = 0;
  std::string address_;
  std::string fault_ = "nobody was asked";
  std::map<std::string, std::pair<uint64_t, uint64_t>> read_;  // agent -> incarnation, sequence
  std::map<uint32_t, std::shared_ptr<const v1::Series>> series_;
  std::unique_ptr<grpc::ClientReader<v1::MetricUpdate>> stream_;

  absl::Mutex mutex_;
  std::unique_ptr<grpc::ClientContext> call_ ABSL_GUARDED_BY(mutex_);
  std::chrono::steady_clock::time_point heard_ ABSL_GUARDED_BY(mutex_);
  bool cancelled_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread watchdog_;  // last: it uses all of the above
};

}  // namespace bank::bankctl
