// RemoteWrite: keeps PushMetrics open to a foreign server of monitor.proto, beside what the bank's
// own branches tell each other.
//
// The server may be slow, dead, or know nothing of the method: what waits for it waits in the
// metric store, which this branch keeps anyway. When a stream ends, RedialPause says when it is
// tried again.
//
// Threads: all of it on the task queue, except Start() and Stop().
#pragma once

#include <grpcpp/channel.h>

#include <cstdint>
#include <memory>
#include <string>

#include "branch/telemetry/metric_store.h"
#include "branch/telemetry/stream/push_stream.h"
#include "branch/telemetry/stream/redial_pause.h"
#include "net/task_queue.h"
#include "net/wait_group.h"

namespace bank::telemetry {

class RemoteWrite {
 public:
  // All must outlive it.
  RemoteWrite(PushStream::Options options, MetricStore& store, net::TaskQueue& task_queue);

  void Start(std::shared_ptr<grpc::Channel> channel);
  // Ends the stream and waits for its last reaction. Idempotent; not from the task queue, which
  // must still run.
  void Stop();

 private:
  void Dial();
  void OnEnded(const grpc::Status& status);
  void Tick();

  const PushStream::Options options_;
  MetricStore& store_;
  net::TaskQueue& task_queue_;
  net::WaitGroup wait_group_;

  // Of the task queue.
  std::shared_ptr<grpc::Channel> channel_;
  PushStream* stream_ = nullptr;  // owns itself
  int64_t dialled_ns_ = 0;
  RedialPause pause_;
  std::string last_reason_;
  bool stopping_ = false;
};

}  // namespace bank::telemetry
