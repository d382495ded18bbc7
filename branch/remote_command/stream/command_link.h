// CommandLink: this branch's side of one CommandStream: it says who it is, runs what it is told and
// answers, over one connection after the other.
//
// One server at a time: the bank's leader, changed by SetServer() the moment another one leads, or
// a foreign server of monitor.proto that stays the same. A broken stream is opened again after
// kRedialNs. Whatever was asked for over an earlier stream and not answered to its end is answered
// again, from its start, over the next: commands run on while nobody is connected.
//
// Threads: all of it on the task queue, except Stop() and the runner's calls to its listeners.
#pragma once

#include <grpcpp/client_context.h>

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "bank/v1/monitor.grpc.pb.h"
#include "branch/remote_command/runner.h"
#include "net/task_queue.h"
#include "net/wait_group.h"

namespace bank::remote_command {

class CommandLink {
 public:
  static constexpr int64_t kRedialNs = 100'000'000;

  struct Options {
    v1::Agent self;
    // Sent with every stream: what a server of the bank itself asks for.
    std::map<std::string, std::string> metadata;
    // What stands before the issuer's name in records: "" for the bank's master.
    std::string issuer_prefix;
  };
  // All must outlive it.
  CommandLink(Options options, Runner& runner, net::TaskQueue& task_queue);
  // After Stop() and the task queue's own Stop().
  ~CommandLink();

  // Null: nobody, until the next call. On the task queue.
  void SetServer(std::shared_ptr<v1::Monitor::Stub> stub);

  // Ends the stream for good and waits for its last reaction. The worker must still run; not from
  // the task queue.
  void Stop();

 private:
  class Stream;
  class StreamListener;

  void Dial();
  void Drop();
  void OnRequest(const std::shared_ptr<Stream>& stream, const v1::CommandRequest& request);
  void OnAnswered(const std::string& id);
  void OnBroken(const std::shared_ptr<Stream>& stream, const grpc::Status& status);

  const Options options_;
  Runner& runner_;
  net::TaskQueue& task_queue_;

  // Of the task queue.
  std::shared_ptr<v1::Monitor::Stub> stub_;
  uint64_t server_changes_ = 0;
  std::shared_ptr<Stream> stream_;
  std::map<std::string, Order> open_;  // asked for and not answered to the end
  std::string last_reason_;
  bool stopping_ = false;

  net::WaitGroup wait_group_;  // streams that gRPC has not let go
};

}  // namespace bank::remote_command
